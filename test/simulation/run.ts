import { DEFAULT_POLICY, type RefreshPolicy } from '../../src/core/plan.js';
import type { CredentialRequest } from '../../src/keeper/snapshot.js';
import type { Surroundings } from '../../src/surroundings.js';
import { Daemon } from './world/daemon.js';
import { judgeEnd } from './end.js';
import { reportTokens, run as runCodex } from './world/people.js';
import type { VirtualProcess } from './world/process.js';
import type { LockTable } from './world/shared-locks.js';
import { loginDocument, textOf } from './world/login-text.js';
import { World } from './world/world.js';
import type { Happening, Plan, What } from './plan.js';

export type Tamper = (surroundings: Surroundings, process: VirtualProcess) => Surroundings;

export interface Report {
  /** What must not have happened; null if nothing did. */
  readonly violation: string | null;
  readonly trace: readonly string[];
  readonly rotations: number;
  readonly crashes: number;
  readonly faults: number;
  readonly rivalWrites: number;
  readonly operations: number;
}

export interface RunOptions {
  readonly tamper?: Tamper;
  readonly isTraced?: boolean;
  /** Another one than the daemon has by default. */
  readonly policy?: RefreshPolicy;
  /** What a daemon hears of what a consumer asks for. */
  readonly hear?: (request: CredentialRequest) => CredentialRequest;
}

const SECOND = 1000;
/** A run that goes on for longer is stuck. */
const MOST_STEPS = 5_000_000;

/** Lets everything happen that a plan says, looks at every step, and judges how it ended. */
export async function run(
  plan: Plan,
  {
    tamper = (same) => same,
    isTraced = false,
    policy = DEFAULT_POLICY,
    hear = (same) => same,
  }: RunOptions = {},
): Promise<Report> {
  const tickMs = Math.min(Math.max(plan.lifetimeMs / 4, 10 * SECOND), 24 * 3600 * SECOND);
  const state = '/home/somebody/.local/state/codex-authd';
  const stateDirectories = plan.isApart && plan.daemons > 1 ? [state, '/elsewhere/codex-authd'] : [state];
  const world = new World({ ...plan, beliefMs: tickMs, stateDirectories });
  if (isTraced) world.trace = [];
  const login = textOf(loginDocument(world.server.logIn('somebody'), world.nextNote(), world.timeline.nowMs));
  plant(world, login);
  const locks: LockTable = new Map();
  const daemons = Array.from({ length: plan.daemons }, (_, index) => {
    const stateDirectory = stateDirectories[index % stateDirectories.length] ?? '';
    return new Daemon(`daemon-${String(index)}`, world, locks, {
      ...plan,
      stateDirectory,
      machine: plan.isRemote ? `machine ${String(index)}` : 'this one',
      tickMs,
      tamper,
      policy,
      hear,
    });
  });
  const counts = { crashes: 0, faults: 0, rivalWrites: 0 };
  const script = new Script(plan.happenings, world, (what) => {
    happen(what, plan, world, daemons, counts);
  });

  let steps = 0;
  const goOn = async (isOver: () => boolean): Promise<void> => {
    while (!isOver() && world.inspector.violation === null) {
      await drained();
      if (!world.timeline.step()) break;
      if ((steps += 1) > MOST_STEPS) world.inspector.blame('the run does not end');
    }
  };
  await goOn(() => script.isOver);
  // What the last happening has set off for this very instant belongs to the story.
  let isInstantOver = false;
  world.timeline.after(
    0,
    () => {
      isInstantOver = true;
    },
    false,
  );
  await goOn(() => isInstantOver);
  await judgeEnd(world, daemons, plan, goOn);
  const rotations = world.inspector.sendings.filter(({ access }) => access !== null);
  return {
    violation: world.inspector.violation,
    // As it is now: some promise may go on a little.
    trace: [...(world.trace ?? [])],
    rotations: rotations.length,
    operations: world.operations,
    ...counts,
  };
}

/** The file as it is before anything happens. */
function plant(world: World, text: string): void {
  const { disk, realPath, timeline } = world;
  const at = realPath.lastIndexOf('/');
  const directory = disk.directories.get(realPath.slice(0, at));
  const inode = disk.makeInode(0o600, timeline.nowMs);
  inode.now = { bytes: Buffer.from(text), size: Buffer.byteLength(text) };
  inode.durable = inode.now;
  directory?.set('auth.json', inode);
  directory?.sync();
  world.inspector.onAuthChanged(null);
}

/** Lets things happen one after the other, each when its time has come. */
class Script {
  readonly #happenings: readonly Happening[];
  readonly #world: World;
  readonly #perform: (what: What) => void;
  #next = 0;
  #operationsLeft = Infinity;

  constructor(happenings: readonly Happening[], world: World, perform: (what: What) => void) {
    this.#happenings = happenings;
    this.#world = world;
    this.#perform = perform;
    world.onNextOperation = () => {
      this.#operationsLeft -= 1;
      if (this.#operationsLeft < 0) this.#happen();
    };
    this.#arm();
  }

  get isOver(): boolean {
    return this.#next >= this.#happenings.length;
  }

  #arm(): void {
    this.#operationsLeft = Infinity;
    const next = this.#happenings[this.#next];
    if (next === undefined) return;
    if ('operations' in next.after) this.#operationsLeft = next.after.operations;
    else {
      const delayMs = next.after.lives * this.#world.server.lifetimeMs;
      this.#world.timeline.after(
        delayMs,
        () => {
          this.#happen();
        },
        false,
      );
    }
  }

  #happen(): void {
    this.#operationsLeft = Infinity;
    const next = this.#happenings[this.#next];
    if (next === undefined) return;
    this.#world.note('***', JSON.stringify(next.what));
    this.#perform(next.what);
    this.#next += 1;
    this.#arm();
  }
}

function happen(
  what: What,
  plan: Plan,
  world: World,
  daemons: readonly Daemon[],
  counts: { crashes: number; faults: number; rivalWrites: number },
): void {
  const daemonOf = (number: number): Daemon | undefined => daemons[number % daemons.length];
  switch (what.kind) {
    case 'kill':
      counts.crashes += 1;
      daemonOf(what.daemon)?.kill();
      return;
    case 'terminate':
      void daemonOf(what.daemon)?.terminate();
      return;
    case 'power loss':
      counts.crashes += 1;
      losePower(world, daemons);
      return;
    case 'stop':
      world.wasStopped = true;
      world.disturbUntil(world.timeline.nowMs + what.durationMs);
      daemonOf(what.daemon)?.process.stop(what.durationMs);
      return;
    case 'sleep':
      // Not between two steps of one promise: nobody outside could tell that from a moment later.
      world.timeline.after(0, () => {
        world.moveClocks(
          'sleep',
          daemons.map(({ process }) => process),
        );
        world.timeline.sleep(what.lives * plan.lifetimeMs);
        world.disturbUntil(world.timeline.nowMs);
      });
      return;
    case 'clock':
      world.moveClocks(
        'setting',
        daemons.map(({ process }) => process),
      );
      world.setClock(what.aheadHours * 3600 * SECOND);
      return;
    case 'disk': {
      counts.faults += 1;
      const { code, place, operations } = what;
      world.trouble = { code, place, operations };
      world.hadDiskTrouble = true;
      return;
    }
    case 'network':
      counts.faults += 1;
      world.network.plan(what.mishap, what.times);
      return;
    case 'codex':
      if (what.deed !== 'exec') counts.rivalWrites += 1;
      void runCodex(world, what.version, what.deed);
      return;
    case 'revoke': {
      counts.faults += 1;
      world.revoke(what.what);
      return;
    }
    case 'ask': {
      const leaving = new AbortController();
      const request = {
        minValidMs: what.lives * plan.lifetimeMs,
        waitMs: what.waitMs,
        signal: leaving.signal,
      };
      void daemonOf(what.daemon)?.ask(request);
      if (what.leaves)
        world.timeline.after(what.waitMs / 2, () => {
          leaving.abort();
        });
      return;
    }
    case 'refresh':
      void daemonOf(what.daemon)?.refresh();
      return;
    case 'report': {
      const daemon = daemonOf(what.daemon);
      if (daemon !== undefined) reportTokens(world, daemon, what);
    }
  }
}

function losePower(world: World, daemons: readonly Daemon[]): void {
  world.inspector.onPowerLoss();
  for (const daemon of daemons) daemon.vanish();
  for (const process of world.processes) process.kill();
  world.processes.clear();
  world.disk.losePower(world.random);
  world.onWritten(null, world.realPath);
  world.inspector.onPowerLoss();
}

/** Lets every promise go as far as it can without the clock. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
