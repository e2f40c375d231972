import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readOwner, type LockOwner } from '../../auth-file/lock-owner.js';
import { locateRealFile } from '../../auth-file/locate.js';
import { AuthdError, describeError } from '../../errors.js';
import { systemFileSystem as fs } from '../../os/file-system.js';
import { findLockHolders } from '../../os/lock-holders.js';
import { identifyMachine } from '../../os/machine.js';
import { loadFlock, type TryFlock } from '../../os/native.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { fail, ok, warn, type Verdict } from '../finding.js';
import type { AccountScene, Check } from '../scene.js';

/** Whether Codex's own lock files are files, and let go of (facts 3.1, 3.2). */
export const checkCodexLocks: Check<AccountScene> = {
  id: 'codex-locks',
  run: async ({ path }) => {
    const real = await locateRealFile(fs, path);
    return Promise.all([join(dirname(path), 'auth.lock'), `${real}.lock`].map(judgeCodexLock));
  },
};

/** Whether the daemon that answers here is the one that keeps the file. */
export const checkAccountLock: Check<AccountScene> = {
  id: 'account-lock',
  run: async ({ path, daemon, socketPath }) => {
    const real = await locateRealFile(fs, path);
    const ownerFile = `${real}.codex-authd.owner`;
    const owner = await readOwner(fs, ownerFile).catch(() => null);
    const here = daemon instanceof AuthdError ? undefined : daemon.pid;
    if (owner === null) return ok('nobody keeps auth.json');
    if (owner.machine !== identifyMachine()) return judgeForeign(owner, real);
    const holders = await findLockHolders(ownerFile);
    const isHeld = holders === undefined ? isAlive(owner.pid) : holders.length > 0;
    if (!isHeld) {
      return ok(`the daemon with pid ${String(owner.pid)} left its lock behind; the next one takes it over`);
    }
    if (owner.pid === here) return ok(`kept by the daemon with pid ${String(owner.pid)}`);
    const holder = holders === undefined || holders.includes(owner.pid) ? owner.pid : holders[0];
    if (owner.socket === socketPath && daemon instanceof AuthdError && holder === owner.pid) {
      return fail(
        `kept by the daemon with pid ${String(holder)}, which does not answer`,
        replaceHung(holder),
      );
    }
    return judgeRival(owner, holder);
  },
};

/**
 * The daemon that keeps one of these files for this socket, by its pid; null if none is seen to: one that holds its locks
 * and does not answer has come to a stop.
 */
export async function findKeeper(authFiles: readonly string[], socket: string): Promise<number | null> {
  for (const path of authFiles) {
    const ownerFile = `${await locateRealFile(fs, path)}.codex-authd.owner`;
    const owner = await readOwner(fs, ownerFile).catch(() => null);
    if (owner?.socket !== socket || owner.machine !== identifyMachine()) continue;
    const holders = await findLockHolders(ownerFile);
    if (holders?.includes(owner.pid) ?? isAlive(owner.pid)) return owner.pid;
  }
  return null;
}

/** No other signal reaches a process that stands still, and this one costs no login (docs/durability.md). */
export function replaceHung(pid: number): string {
  return `kill -KILL ${String(pid)} && codex-authd up`;
}

/** `holder` is its pid as it is counted here, which in a container is another one than it tells; 0 from within another. */
export function judgeRival({ pid, host, socket }: LockOwner, holder = 0): Verdict {
  if (holder === 0) {
    return fail(
      `kept by another codex-authd, with pid ${String(pid)} in the container ${host}`,
      `docker exec ${quoteForShell(host)} kill ${String(pid)}`,
    );
  }
  return fail(
    `kept by another codex-authd, with pid ${String(holder)} and the socket ${socket}`,
    `kill ${String(holder)}`,
  );
}

async function judgeCodexLock(path: string): Promise<Verdict> {
  const entry = await lstat(path).catch(() => null);
  if (entry === null) return ok(`${path} is not there yet`);
  if (entry.isDirectory()) {
    return fail(
      `there is a directory at ${path}: Codex would spend its login and lose it`,
      `rmdir ${quoteForShell(path)}`,
    );
  }
  const verdict = judgeHolder(path, await findLastingHolder(path));
  return verdict.level === 'ok' ? judgeFlock(path, await loadFlock()) : verdict;
}

/**
 * Whether a lock file can be locked at all, as its file system answers: held for as long as that takes, and let go of at
 * once. What is not there yet, or may not be opened, tells nothing.
 */
export async function judgeFlock(path: string, flock: TryFlock | null): Promise<Verdict> {
  const file = await open(path, constants.O_RDWR).catch(() => null);
  try {
    if (file !== null && flock !== null && flock(file.fd) === null) {
      return warn(
        `the file system of ${path} has no flock, so Codex's lock is not taken`,
        nameFileSystem(path),
      );
    }
    return ok(`nobody holds ${path}`);
  } catch (error) {
    return warn(`${path} cannot be locked: ${describeError(error)}`, nameFileSystem(path));
  } finally {
    await file?.close();
  }
}

/** Names the file system, for whoever can choose another one: nothing mends this one. */
function nameFileSystem(path: string): string {
  return `df ${quoteForShell(path)}`;
}

/** Codex holds it for milliseconds, while it writes. */
const LASTING_MS = 1000;

/** Who holds a lock now and a while later; undefined if nobody is known to. */
export async function findLastingHolder(
  path: string,
  wait: () => Promise<unknown> = () => sleep(LASTING_MS),
): Promise<number | undefined> {
  const first = (await findLockHolders(path)) ?? [];
  if (first.length === 0) return undefined;
  await wait();
  const last = (await findLockHolders(path)) ?? [];
  return last.find((pid) => first.includes(pid));
}

/** A process of another container has the pid 0, and a signal to that one goes to oneself. */
export function judgeHolder(path: string, holder: number | undefined): Verdict {
  if (holder === undefined) return ok(`nobody holds ${path}`);
  if (holder === 0)
    return warn(`a process in another container holds ${path}`, `lslocks --output COMMAND,PID,PATH`);
  return warn(`the process ${String(holder)} has held ${path} for a while`, `kill ${String(holder)}`);
}

/** A living daemon renews its lease every few seconds; the clocks of two machines may differ by some more. */
const RENEWED_MS = 60_000;

/** A process of another machine, or of this one before it started anew, cannot be looked at: its lock is renewed or not. */
async function judgeForeign({ pid, host, since }: LockOwner, real: string): Promise<Verdict> {
  const lease = await lstat(`${real}.codex-authd.lock`).catch(() => null);
  const who = `the daemon with pid ${String(pid)} on ${host}, up since ${since}`;
  if (lease === null || Date.now() - lease.mtimeMs > RENEWED_MS)
    return ok(`${who} left its lock behind; the next one takes it over`);
  return warn(`kept by ${who}`, `ssh ${quoteForShell(host)} kill ${String(pid)}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
