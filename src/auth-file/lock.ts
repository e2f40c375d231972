import { rmdir } from 'node:fs/promises';
import { lock as acquire } from 'proper-lockfile';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { identifyMachine } from '../os/machine.js';
import { tryKernelLock, type KernelLock } from './kernel-lock.js';
import { locateRealFile } from './locate.js';
import { describeOwner, readOwner, writeOwner, type LockOwner } from './lock-owner.js';

/** A lock that was not renewed for this long belongs to a machine that is gone. */
const STALE_MS = 10_000;
const RENEW_MS = 2_500;
/** How often the lock of another machine is tried again until it is stale. */
const RETRY_MS = 500;

/**
 * The lock by which one daemon keeps one auth.json, in two layers, both beside the real file. Between the processes of
 * this machine the kernel's, which ends with its holder; between machines that share the file system a directory that
 * proper-lockfile renews, and which alone would be no mutex (facts 5.1). Neither has the name of one of Codex's lock
 * files: a directory at one of those costs the login (facts 3.1).
 */
export class AccountLock {
  readonly #path: string;
  readonly #socket: string;
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #onLost: (error: Error) => void;
  #held: HeldLock | null = null;
  #turn: Promise<void> = Promise.resolve();

  constructor(path: string, socket: string, fs: FileSystem, clock: Clock, onLost: (error: Error) => void) {
    this.#path = path;
    this.#socket = socket;
    this.#fs = fs;
    this.#clock = clock;
    this.#onLost = onLost;
  }

  /** False from the moment that another machine may have taken the lock: nothing is sent or stored then. */
  get held(): boolean {
    return this.#held?.shared.compromised === false;
  }

  /**
   * Takes the lock unless it is held already. A lock that a killed daemon left is taken over at once, one of another
   * machine when it is stale, within 12 s.
   *
   * @throws AuthdError `already_running` if a living daemon has it; `storage` if it cannot be made
   */
  ensure(): Promise<void> {
    return this.#inTurn(() => this.#ensure());
  }

  release(): Promise<void> {
    return this.#inTurn(() => this.#release());
  }

  /** One after the other: who asks while somebody else is taking the lock must not meet himself. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #ensure(): Promise<void> {
    const realPath = await locateRealFile(this.#fs, this.#path);
    if (this.held && realPath === this.#held?.realPath) return;
    await this.#release();
    try {
      this.#held = await this.#take(realPath);
    } catch (error) {
      if (error instanceof AuthdError) throw error;
      throw new AuthdError('storage', `the lock beside auth.json cannot be made: ${describeError(error)}`, {
        hint: 'make the directory of auth.json writable',
        cause: error,
      });
    }
  }

  async #release(): Promise<void> {
    const held = this.#held;
    this.#held = null;
    if (held === null) return;
    await held.shared.release();
    // One that was lost may be another machine's by now, and with it the file that says whose it is.
    if (!held.shared.compromised) await this.#fs.unlink(ownerPath(held.realPath)).catch(() => undefined);
    await held.kernel.release();
  }

  async #take(realPath: string): Promise<HeldLock> {
    const kernel = await tryKernelLock(this.#fs, ownerPath(realPath));
    if (kernel === null) throw heldBy(await readOwner(this.#fs, ownerPath(realPath)), this.#path);
    try {
      const last = await readOwner(this.#fs, ownerPath(realPath));
      // Whoever had a flock on this machine would have it still, if he lived: we have it now.
      const isDead = kernel.isFlock && last?.flock === true && last.machine === identifyMachine();
      if (isDead) await rmdir(sharedPath(realPath)).catch(() => undefined);
      const shared = await this.#takeShared(realPath, last);
      await writeOwner(kernel.file, describeOwner(this.#socket, kernel.isFlock, this.#clock.now()));
      return { realPath, kernel, shared };
    } catch (error) {
      await kernel.release();
      throw error;
    }
  }

  /** `last` is who wrote himself down as the owner. */
  async #takeShared(realPath: string, last: LockOwner | null): Promise<SharedLock> {
    const giveUpAtMs = this.#clock.monotonicMs() + STALE_MS + 2_000;
    for (;;) {
      const taken = await acquireShared(realPath, this.#onLost);
      if (taken !== null) return taken;
      if (this.#clock.monotonicMs() >= giveUpAtMs) throw heldBy(last, this.#path);
      await pause(this.#clock, RETRY_MS);
    }
  }
}

interface HeldLock {
  readonly realPath: string;
  readonly kernel: KernelLock;
  readonly shared: SharedLock;
}

interface SharedLock {
  compromised: boolean;
  release(): Promise<void>;
}

/** Null if somebody has renewed it lately. */
async function acquireShared(realPath: string, onLost: (error: Error) => void): Promise<SharedLock | null> {
  try {
    const release = await acquire(realPath, {
      realpath: false,
      lockfilePath: sharedPath(realPath),
      stale: STALE_MS,
      update: RENEW_MS,
      retries: 0,
      onCompromised: (error) => {
        lock.compromised = true;
        onLost(error);
      },
    });
    const lock: SharedLock = {
      compromised: false,
      // A lock that was lost a moment ago is not ours to release any more.
      release: () => release().catch(() => undefined),
    };
    return lock;
  } catch (error) {
    if (systemErrorCode(error) === 'ELOCKED') return null;
    throw error;
  }
}

function ownerPath(realPath: string): string {
  return `${realPath}.codex-authd.owner`;
}

function sharedPath(realPath: string): string {
  return `${realPath}.codex-authd.lock`;
}

function heldBy(owner: LockOwner | null, path: string): AuthdError {
  if (owner === null) {
    return new AuthdError('already_running', `${path} is kept by another codex-authd`, {
      hint: 'stop it first, or use its socket',
    });
  }
  const { pid, host, since, socket } = owner;
  const who = `codex-authd with pid ${String(pid)} on ${host}, up since ${since}, socket ${socket}`;
  return new AuthdError('already_running', `${path} is kept by ${who}`, {
    hint:
      owner.machine === identifyMachine()
        ? `use its socket, or stop it with \`kill ${String(pid)}\``
        : `stop it on ${host} first`,
  });
}
