import { AuthdError } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { HeldLock } from './held-lock.js';
import { tryKernelLock } from './kernel-lock.js';
import { describeOwner, isSame, readOwner, readWord, type LockOwner } from './lock-owner.js';
import { isStillAt } from './still-at.js';
import { STALE_MS, type SharedLock, type SharedLocks } from './shared-lock.js';

export interface FileLockOptions {
  /** Where the daemon that holds it can be reached: told to those who want it too. */
  readonly socket: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly sharedLocks: SharedLocks;
  /** Names the running kernel: what it locks reaches exactly as far. */
  readonly machine: string;
  readonly onLost: (error: Error) => void;
}

/** How often the lock of another machine is tried again until it is stale. */
const RETRY_MS = 500;
const MOST_ATTEMPTS = 10;

/**
 * Takes the lock of a file, in two layers, both beside it. Between the processes of this machine the kernel's, which
 * ends with its holder; between machines that share the file system a directory that proper-lockfile renews, and which
 * alone would be no mutex (facts 5.1). Neither has the name of one of Codex's lock files: a directory at one of those
 * costs the login (facts 3.1).
 *
 * `statesAfter` is given the state directories of whoever had it last and was killed, and tells which ones to write down.
 *
 * @throws AuthdError `already_running` if a living daemon has it; the file system's error if it cannot be made
 */
export async function takeFileLock(
  path: string,
  options: FileLockOptions,
  statesAfter: (last: readonly string[]) => string[],
): Promise<HeldLock> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const lock = await tryFileLock(path, options, statesAfter);
    if (lock !== null) return lock;
  }
  throw heldBy(path, null, options.machine);
}

/** Null if the owner's file was removed while the lock was waited for: that may be tried again. */
async function tryFileLock(
  path: string,
  options: FileLockOptions,
  statesAfter: (last: readonly string[]) => string[],
): Promise<HeldLock | null> {
  const { fs, clock, socket, machine, sharedLocks, onLost } = options;
  const kernel = await tryKernelLock(fs, ownerPath(path));
  if (kernel === null) {
    const owner = await readOwner(fs, ownerPath(path)).catch(() => null);
    throw heldBy(path, owner, machine);
  }
  try {
    const before = await readOwner(fs, ownerPath(path));
    // Whoever had a flock on this machine would have it still, if he lived: we have it now.
    const isDead = kernel.isFlock && before?.flock === true && before.machine === machine;
    if (isDead) await sharedLocks.remove(sharedPath(path));
    const shared = await takeShared(path, options, before);
    try {
      // By another machine, when it let go: this kernel's lock is on nothing then, and no word would be read by anybody.
      if (!(await isStillAt(fs, ownerPath(path), kernel.file))) {
        await shared.release();
        await kernel.release();
        return null;
      }
      const { owner: last, states } = await readWord(fs, ownerPath(path));
      // It was stale, and another machine's before we removed it: that one goes on, and we have to let go.
      if (isDead && !isSame(before, last)) throw heldBy(path, last, machine);
      const self = describeOwner({ machine, flock: kernel.isFlock, socket }, clock.now());
      const lock = new HeldLock({ fs, path: ownerPath(path), kernel, shared, self, statesAfter, onLost });
      // Lost while this process stood still: what is written there by now is the next one's.
      if (!(await shared.confirm())) throw heldBy(path, last, machine);
      if (!(await lock.tell(states))) throw heldBy(path, null, machine);
      return lock;
    } catch (error) {
      // Nobody would let go of it later: it would be renewed for ever, and keep us out as well.
      await shared.release();
      throw error;
    }
  } catch (error) {
    await kernel.release();
    throw error;
  }
}

/** `last` is who wrote himself down as the owner. */
async function takeShared(
  path: string,
  { clock, sharedLocks, machine, onLost }: FileLockOptions,
  last: LockOwner | null,
): Promise<SharedLock> {
  const giveUpAtMs = clock.monotonicMs() + STALE_MS + 2_000;
  for (;;) {
    const taken = await sharedLocks.take(sharedPath(path), onLost);
    if (taken !== null) return taken;
    if (clock.monotonicMs() >= giveUpAtMs) throw heldBy(path, last, machine);
    await pause(clock, RETRY_MS);
  }
}

function heldBy(path: string, owner: LockOwner | null, machine: string): AuthdError {
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

function ownerPath(path: string): string {
  return `${path}.codex-authd.owner`;
}

function sharedPath(path: string): string {
  return `${path}.codex-authd.lock`;
}
