import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { AccountLock } from '../../src/auth-file/lock.js';
import { sharedLocks, type SharedLocks } from '../../src/auth-file/shared-lock.js';
import { systemClock, type Clock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { identifyMachine } from '../../src/os/machine.js';

/** What a lock needs, but for its path. */
export const REAL = {
  socket: '/nowhere.sock',
  stateDirectory: '/state',
  fs: systemFileSystem,
  clock: systemClock,
  sharedLocks,
  machine: identifyMachine(),
  onLost: (): void => undefined,
};

/** A lock that is let go of when the test is over. */
export function lockOf(path: string, socket = '/nowhere.sock', clock: Clock = systemClock): AccountLock {
  const lock = new AccountLock({ ...REAL, path, socket, clock });
  onTestFinished(() => lock.release());
  return lock;
}

/** The word of a daemon on another machine. */
export const ELSEWHERE = {
  pid: 2,
  host: 'elsewhere',
  machine: 'another machine',
  flock: true,
  socket: '/its.sock',
  states: [],
  since: 'now',
};

/** Another machine takes the lock, as if it were stale. */
export async function takeElsewhere(path: string): Promise<void> {
  await rm(`${path}.codex-authd.lock`, { recursive: true });
  await mkdir(`${path}.codex-authd.lock`);
  // At no time that ours could have, and at no whole second, which is all that some file systems tell.
  const renewedAt = Math.floor(Date.now() / 1000) - 5 + 0.123;
  await utimes(`${path}.codex-authd.lock`, renewedAt, renewedAt);
  await writeFile(`${path}.codex-authd.owner`, JSON.stringify(ELSEWHERE));
}

/** The same on leases that behave otherwise. */
export function lockWith(path: string, changes: Partial<SharedLocks>): AccountLock {
  const lock = new AccountLock({ ...REAL, path, sharedLocks: { ...sharedLocks, ...changes } });
  onTestFinished(() => lock.release());
  return lock;
}

/** What a daemon leaves that was killed: both files, and nobody who holds the kernel's lock. */
export async function leaveBehind(
  path: string,
  machine: string,
  states: readonly string[] = [],
): Promise<void> {
  await mkdir(`${path}.codex-authd.lock`);
  const who = { pid: 1, host: 'elsewhere', machine, flock: true, socket: '/gone.sock' };
  await writeFile(`${path}.codex-authd.owner`, JSON.stringify({ ...who, since: 'yesterday', states }));
}
