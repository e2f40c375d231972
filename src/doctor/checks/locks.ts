import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readOwner, type LockOwner } from '../../auth-file/lock-owner.js';
import { locateRealFile } from '../../auth-file/locate.js';
import { AuthdError } from '../../errors.js';
import { systemFileSystem as fs } from '../../os/file-system.js';
import { findLockHolders } from '../../os/lock-holders.js';
import { identifyMachine } from '../../os/machine.js';
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
  run: async ({ path, daemon }) => {
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
    return fail(
      `kept by another codex-authd, with pid ${String(owner.pid)} and the socket ${owner.socket}`,
      `kill ${String(owner.pid)}`,
    );
  },
};

async function judgeCodexLock(path: string): Promise<Verdict> {
  const entry = await lstat(path).catch(() => null);
  if (entry === null) return ok(`${path} is not there yet`);
  if (entry.isDirectory()) {
    return fail(
      `there is a directory at ${path}: Codex would spend its login and lose it`,
      `rmdir ${quoteForShell(path)}`,
    );
  }
  const [holder] = (await findLockHolders(path)) ?? [];
  if (holder === undefined) return ok(`nobody holds ${path}`);
  return warn(`the process ${String(holder)} holds ${path} at this moment`, `kill ${String(holder)}`);
}

/** A process of another machine, or of this one before it started anew, cannot be looked at: its lock is renewed or not. */
async function judgeForeign({ pid, host, since }: LockOwner, real: string): Promise<Verdict> {
  const shared = `${real}.codex-authd.lock`;
  const isThere = await lstat(shared).then(
    () => true,
    () => false,
  );
  const who = `the daemon with pid ${String(pid)} on ${host}, up since ${since}`;
  if (!isThere) return ok(`${who} left its lock behind; the next one takes it over`);
  return warn(`kept by ${who}, or left behind by it`, `ssh ${quoteForShell(host)} kill ${String(pid)}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
