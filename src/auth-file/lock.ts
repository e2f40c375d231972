import { dirname } from 'node:path';
import { AuthdError, describeError } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { syncDirectory } from './durable.js';
import { tryKernelLock, type KernelLock } from './kernel-lock.js';
import { locateRealFile } from './locate.js';
import { describeOwner, readOwner, writeOwner, type LockOwner } from './lock-owner.js';
import { STALE_MS, type SharedLock, type SharedLocks } from './shared-lock.js';

export interface AccountLockOptions {
  /** Of auth.json, real or a symbolic link. */
  readonly path: string;
  /** Where the daemon that holds it can be reached: told to those who want it too. */
  readonly socket: string;
  /** Where its journals are: told to whoever takes the lock when this daemon was killed. */
  readonly stateDirectory: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly sharedLocks: SharedLocks;
  /** Names the running kernel: what it locks reaches exactly as far. */
  readonly machine: string;
  readonly onLost: (error: Error) => void;
}

/** Nobody starts daemons with more state directories for one file, but for an accident. */
const MOST_STATES = 8;
/** How often the lock of another machine is tried again until it is stale. */
const RETRY_MS = 500;

/**
 * The lock by which one daemon keeps one auth.json, in two layers, both beside the real file. Between the processes of
 * this machine the kernel's, which ends with its holder; between machines that share the file system a directory that
 * proper-lockfile renews, and which alone would be no mutex (facts 5.1). Neither has the name of one of Codex's lock
 * files: a directory at one of those costs the login (facts 3.1).
 */
export class AccountLock {
  readonly #options: AccountLockOptions;
  #held: HeldLock | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #otherStates: readonly string[] = [];
  #refusal: AuthdError | null = null;

  constructor(options: AccountLockOptions) {
    this.#options = options;
  }

  /** False from the moment that another machine may have taken the lock: nothing is sent or stored then. */
  get held(): boolean {
    return this.#held?.shared.isCompromised === false;
  }

  /** What the last attempt to take it met; null if that went well. */
  get refusal(): AuthdError | null {
    return this.#refusal;
  }

  /** Other state directories of those who had the lock and did not let go of it: of daemons that were killed. */
  get otherStates(): readonly string[] {
    return this.#otherStates;
  }

  /**
   * Takes the lock unless it is held already. A lock that a killed daemon left is taken over at once, one of another
   * machine when it is stale, within 12 s. Resolves to whether it was held, or is taken anew.
   *
   * @throws AuthdError `already_running` if a living daemon has it; `storage` if it cannot be made
   */
  ensure(): Promise<'held' | 'taken'> {
    return this.#inTurn(() => this.#ensure());
  }

  /** `isUnsettled`: a journal is left, so whoever takes the lock next is told where. */
  release(isUnsettled = false): Promise<void> {
    return this.#inTurn(() => this.#release(isUnsettled));
  }

  /** One after the other: who asks while somebody else is taking the lock must not meet himself. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #ensure(): Promise<'held' | 'taken'> {
    const realPath = await locateRealFile(this.#options.fs, this.#options.path);
    if (this.held && realPath === this.#held?.realPath) return 'held';
    await this.#release();
    try {
      this.#held = await this.#take(realPath);
      this.#refusal = null;
      return 'taken';
    } catch (error) {
      this.#refusal = explain(error);
      throw this.#refusal;
    }
  }

  async #release(isUnsettled = false): Promise<void> {
    const held = this.#held;
    this.#held = null;
    if (held === null) return;
    await held.shared.release();
    // One that was lost may be another machine's by now, and with it the file that says whose it is.
    if (!held.shared.isCompromised && !isUnsettled) {
      await this.#options.fs.unlink(ownerPath(held.realPath)).catch(() => undefined);
    }
    await held.kernel.release();
  }

  async #take(realPath: string): Promise<HeldLock> {
    const { fs, clock, socket, stateDirectory, machine, sharedLocks } = this.#options;
    const kernel = await tryKernelLock(fs, ownerPath(realPath));
    if (kernel === null) throw this.#heldBy(await readOwner(fs, ownerPath(realPath)));
    try {
      const last = await readOwner(fs, ownerPath(realPath));
      // Whoever had a flock on this machine would have it still, if he lived: we have it now.
      const isDead = kernel.isFlock && last?.flock === true && last.machine === machine;
      if (isDead) await sharedLocks.remove(sharedPath(realPath));
      const shared = await this.#takeShared(realPath, last);
      try {
        const states = [stateDirectory, ...this.#rememberStates(last?.states ?? [])];
        const self = { machine, flock: kernel.isFlock, socket, states };
        await writeOwner(kernel.file, describeOwner(self, clock.now()));
        // After a loss of power it tells a successor where to look for what was under way.
        await syncDirectory(fs, dirname(realPath));
      } catch (error) {
        // Nobody would let go of it later: it would be renewed for ever, and keep us out as well.
        await shared.release();
        throw error;
      }
      return { realPath, kernel, shared };
    } catch (error) {
      await kernel.release();
      throw error;
    }
  }

  #rememberStates(states: readonly string[]): readonly string[] {
    const known = new Set([...this.#otherStates, ...states]);
    known.delete(this.#options.stateDirectory);
    this.#otherStates = [...known].slice(-MOST_STATES);
    return this.#otherStates;
  }

  /** `last` is who wrote himself down as the owner. */
  async #takeShared(realPath: string, last: LockOwner | null): Promise<SharedLock> {
    const { clock, sharedLocks, onLost } = this.#options;
    const giveUpAtMs = clock.monotonicMs() + STALE_MS + 2_000;
    for (;;) {
      const taken = await sharedLocks.take(sharedPath(realPath), onLost);
      if (taken !== null) return taken;
      if (clock.monotonicMs() >= giveUpAtMs) throw this.#heldBy(last);
      await pause(clock, RETRY_MS);
    }
  }

  #heldBy(owner: LockOwner | null): AuthdError {
    const { path, machine } = this.#options;
    if (owner === null) {
      return new AuthdError('already_running', `${path} is kept by another codex-authd`, {
        hint: 'stop it first, or use its socket',
      });
    }
    const { pid, host, since, socket } = owner;
    const who = `codex-authd with pid ${String(pid)} on ${host}, up since ${since}, socket ${socket}`;
    return new AuthdError('already_running', `${path} is kept by ${who}`, {
      hint:
        owner.machine === machine
          ? `use its socket, or stop it with \`kill ${String(pid)}\``
          : `stop it on ${host} first`,
    });
  }
}

interface HeldLock {
  readonly realPath: string;
  readonly kernel: KernelLock;
  readonly shared: SharedLock;
}

function explain(error: unknown): AuthdError {
  if (error instanceof AuthdError) return error;
  return new AuthdError('storage', `the lock beside auth.json cannot be made: ${describeError(error)}`, {
    hint: 'make the directory of auth.json writable',
    cause: error,
  });
}

function ownerPath(realPath: string): string {
  return `${realPath}.codex-authd.owner`;
}

function sharedPath(realPath: string): string {
  return `${realPath}.codex-authd.lock`;
}
