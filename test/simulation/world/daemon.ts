import type { AccountConfig } from '../../../src/config/accounts.js';
import { CODEX_BASE_URLS } from '../../../src/core/base-urls.js';
import type { RefreshPolicy } from '../../../src/core/plan.js';
import { systemErrorCode } from '../../../src/errors.js';
import { keepAccount, type KeptAccount } from '../../../src/keep-account.js';
import { ClaimedDirectories } from '../../../src/keeper/claimed-directories.js';
import { Holdings } from '../../../src/keeper/holdings.js';
import { Pace } from '../../../src/keeper/pace.js';
import type { LogPort } from '../../../src/keeper/ports.js';
import type { CredentialRequest, RejectionRequest } from '../../../src/keeper/snapshot.js';
import type { Surroundings } from '../../../src/surroundings.js';
import { fileSystemOf } from './file-system.js';
import { VirtualProcess } from './process.js';
import { sharedLocksOf, type LockTable } from './shared-locks.js';
import type { World } from './world.js';

export interface DaemonOptions {
  readonly stateDirectory: string;
  readonly machine: string;
  readonly tickMs: number;
  readonly policy: RefreshPolicy;
  readonly hear: (request: CredentialRequest) => CredentialRequest;
  /** How well changes of the file are noticed. */
  readonly watch: 'keen' | 'lossy' | 'deaf';
  /** Puts a fault in. */
  readonly tamper: (surroundings: Surroundings, process: VirtualProcess) => Surroundings;
}

/** systemd starts it again. */
const RESTART_MS = 2_000;
const SETTLE_MS = 80;

/** A daemon that is started again whenever it has ended. */
export class Daemon {
  readonly #name: string;
  readonly #world: World;
  readonly #locks: LockTable;
  readonly #options: DaemonOptions;
  #starts = 0;
  #process: VirtualProcess;
  #kept: KeptAccount | null = null;
  #stopWatching: () => void = () => undefined;

  constructor(name: string, world: World, locks: LockTable, options: DaemonOptions) {
    this.#name = name;
    this.#world = world;
    this.#locks = locks;
    this.#options = options;
    this.#process = this.#start();
  }

  get process(): VirtualProcess {
    return this.#process;
  }

  /** Null while it is not up. */
  get kept(): KeptAccount | null {
    return this.#kept;
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.#process.isAlive) return;
    this.#world.note(this.#process.name, 'is killed');
    this.#process.kill();
    this.#world.inspector.onKilled(this.#process);
    this.#end();
  }

  /** The power goes: nobody looks after what is left before it comes back. */
  vanish(): void {
    if (!this.#process.isAlive) return;
    this.#process.kill();
    this.#end();
  }

  /** SIGTERM. */
  async terminate(): Promise<void> {
    const kept = this.#kept;
    const process = this.#process;
    if (kept === null || !process.isAlive) return;
    this.#world.note(process.name, 'is to stop');
    await kept.finish();
    await kept.close().catch((error: unknown) => {
      if (systemErrorCode(error) === undefined) throw error;
      this.#world.note(process.name, 'could not close:', error);
    });
    if (process.hasEnded()) return;
    process.kill();
    this.#end();
  }

  /** A consumer asks; what it is given is looked at. */
  async ask(request: CredentialRequest): Promise<'served' | 'refused' | 'down'> {
    const kept = this.#kept;
    const process = this.#process;
    if (kept === null || !process.isAlive) return 'down';
    this.#world.inspector.onDemand(process);
    try {
      const credential = await kept.keeper.credential(this.#options.hear(request));
      if (process.hasEnded()) return 'down';
      this.#world.inspector.onTold(process, credential);
      if (this.#world.isWell) this.#world.inspector.onServed(process, credential, request.minValidMs);
      return 'served';
    } catch {
      const hasLeft = request.signal?.aborted === true;
      if (!process.hasEnded() && !hasLeft) this.#world.inspector.onRefused(process);
      return 'refused';
    }
  }

  async refresh(): Promise<void> {
    const kept = this.#kept;
    const process = this.#process;
    if (kept === null || !process.isAlive) return;
    this.#world.inspector.onOrder(process);
    try {
      const credential = await kept.keeper.refresh({ waitMs: 25_000 });
      if (!process.hasEnded()) this.#world.inspector.onTold(process, credential);
    } catch {
      // That it may be refused is part of the contract.
    }
  }

  /** A consumer says that a token was answered with a 401. */
  async report(request: RejectionRequest): Promise<'served' | 'refused' | 'down'> {
    const kept = this.#kept;
    const process = this.#process;
    if (kept === null || !process.isAlive) return 'down';
    this.#world.inspector.onReport(process, request.fingerprint);
    try {
      const credential = await kept.keeper.rejected(request);
      if (process.hasEnded()) return 'down';
      this.#world.inspector.onToldInstead(process, credential, request.fingerprint);
      return 'served';
    } catch {
      return 'refused';
    }
  }

  #start(): VirtualProcess {
    this.#starts += 1;
    const process = new VirtualProcess(
      `${this.#name}.${String(this.#starts)}`,
      this.#options.stateDirectory,
      this.#world,
      this.#options.machine,
    );
    this.#world.join(process);
    this.#world.disturbUntil(this.#world.timeline.nowMs);
    void this.#boot(process);
    return process;
  }

  async #boot(process: VirtualProcess): Promise<void> {
    const world = this.#world;
    const { stateDirectory, tamper, policy } = this.#options;
    const surroundings = tamper(this.#surround(process), process);
    const config = configOf(world.home, policy);
    const settings = { socketPath: `/run/${this.#name}.sock`, stateDirectory, accounts: [config] };
    try {
      const kept = await keepAccount(config, settings, surroundings);
      if (!process.isAlive) return;
      this.#kept = kept;
      kept.keeper.subscribe((event) => {
        if (!process.isAlive) return;
        if (event.type === 'credential') {
          world.note(process.name, 'tells generation', event.credential.generation);
          world.inspector.onTold(process, event.credential);
        } else world.note(process.name, 'state', event.snapshot.state.name, event.snapshot.state.detail);
      });
      kept.activate();
      this.#tick(kept, process);
    } catch (error) {
      if (!process.isAlive) return;
      if (!(error instanceof Error && 'code' in error))
        world.inspector.blame(`a daemon failed: ${String(error)}`);
      world.note(process.name, 'does not start:', error);
      process.kill();
      this.#end();
    }
  }

  #tick(kept: KeptAccount, process: VirtualProcess): void {
    process.clock.after(this.#options.tickMs, () => {
      void kept.tick();
      this.#tick(kept, process);
    });
  }

  /** Soon or late, so that the other daemon has a chance to be the next one. */
  #end(): void {
    const { random } = this.#world;
    const restartMs = random.chance(0.5) ? RESTART_MS : RESTART_MS + random.next() * this.#options.tickMs;
    this.#kept = null;
    this.#stopWatching();
    this.#world.processes.delete(this.#process);
    this.#world.timeline.after(restartMs, () => {
      this.#process = this.#start();
    });
  }

  #surround(process: VirtualProcess): Surroundings {
    const world = this.#world;
    return {
      fs: fileSystemOf(process, world),
      clock: process.clock,
      random: () => world.random.next(),
      machine: process.machine,
      sharedLocks: sharedLocksOf(process, this.#locks, world),
      directories: new ClaimedDirectories(),
      log: logOf(process, world),
      pace: new Pace(2_000),
      holdings: new Holdings(),
      watch: ({ onDirty }) => {
        const notice = (): void => {
          const { watch } = this.#options;
          if (watch === 'deaf' || (watch === 'lossy' && world.random.chance(0.5))) return;
          process.clock.after(SETTLE_MS, onDirty);
        };
        world.watchers.add(notice);
        this.#stopWatching = () => world.watchers.delete(notice);
        return Promise.resolve({ recheck: () => Promise.resolve(), close: () => Promise.resolve() });
      },
      openEndpoint: () => world.network.endpointOf(process),
    };
  }
}

function configOf(codexHome: string, policy: RefreshPolicy): AccountConfig {
  return {
    name: 'default',
    codexHome,
    tokenEndpoint: 'https://auth.example.com/oauth/token',
    clientId: 'client',
    bodyFormat: 'json',
    scope: null,
    baseUrls: CODEX_BASE_URLS,
    policy,
    publishIn: [],
  };
}

function logOf(process: VirtualProcess, world: World): LogPort {
  const write = (fields: object, message: string): void => {
    const line = JSON.stringify(fields);
    if (/rt-\d{8}/.test(line)) world.inspector.blame('a refresh token is in the log');
    if (process.isAlive) world.note(process.name, 'says:', message, world.trace === null ? '' : line);
  };
  return {
    info: write,
    warn: write,
    error(fields, message) {
      write(fields, message);
      const { err } = fields as { err?: unknown };
      const isExpected = err instanceof Error && 'code' in err;
      if (process.isAlive && !isExpected)
        world.inspector.blame(`an error that nobody expected: ${message}: ${String(err)}`);
    },
  };
}
