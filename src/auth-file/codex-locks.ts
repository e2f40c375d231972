import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { createPrivate } from './durable.js';
import { adoptOwner } from './owner.js';

/** Codex itself gives up on one of them after 5 s, and throws away new tokens then (facts 3.2). */
const PATIENCE_MS = 2_000;
const RETRY_MS = 10;

/**
 * Whether a lock may be a link to a file elsewhere. In the account's home it may, as for Codex. Where a consumer may write
 * who must not have the login, a link would let him name any file of the daemon's user to be made or opened.
 */
export type LockLinks = 'follow' | 'refuse';

/**
 * Does `work` while no Codex that locks can write: `auth.lock` in its home, then `auth.json.lock` beside the real
 * file, in Codex's order (facts 3). Both are regular files that stay behind, for ever and for everyone; a directory at
 * one of their places would cost the login (facts 3.1). Held for milliseconds, never across the network.
 *
 * Where the kernel offers no `flock`, the work is done without.
 *
 * @throws AuthdError `storage` if a Codex does not let go in time, or a lock file cannot be opened or locked
 */
export async function withCodexLocks<T>(
  fs: FileSystem,
  path: string,
  realPath: string,
  clock: Clock,
  work: () => Promise<T>,
  links: LockLinks = 'follow',
): Promise<T> {
  const held: OpenFile[] = [];
  try {
    for (const lock of [join(dirname(path), 'auth.lock'), `${realPath}.lock`]) {
      held.push(await take(fs, lock, clock, links));
    }
    return await work();
  } finally {
    // One that cannot be closed must not keep the other locked; its descriptor is gone all the same.
    await Promise.allSettled(held.toReversed().map((file) => file.close()));
  }
}

async function take(fs: FileSystem, path: string, clock: Clock, links: LockLinks): Promise<OpenFile> {
  const file = await open(fs, path, links);
  const giveUpAtMs = clock.monotonicMs() + PATIENCE_MS;
  try {
    while ((await tryLock(file, path)) === false) {
      if (clock.monotonicMs() >= giveUpAtMs) {
        throw new AuthdError('storage', `Codex has held ${path} for over ${String(PATIENCE_MS / 1000)} s`, {
          hint: 'nothing to do, unless a Codex process hangs',
        });
      }
      await pause(clock, RETRY_MS);
    }
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function tryLock(file: OpenFile, path: string): Promise<boolean | null> {
  try {
    return await file.tryLock();
  } catch (error) {
    throw new AuthdError('storage', `Codex's lock file ${path} cannot be locked: ${describeError(error)}`, {
      hint: 'look after its file system: locks fail on it',
      cause: error,
    });
  }
}

async function open(fs: FileSystem, path: string, links: LockLinks): Promise<OpenFile> {
  try {
    return await openOrMake(fs, path, links);
  } catch (error) {
    if (links === 'refuse' && systemErrorCode(error) === 'ELOOP') {
      throw new AuthdError('storage', `${path} is a link that the daemon did not make`, {
        hint: 'remove it: whoever made it wants the daemon to open another file',
      });
    }
    throw new AuthdError('storage', `Codex's lock file cannot be opened: ${describeError(error)}`, {
      hint: `if there is a directory at ${path}, remove it: Codex would lose its login over it`,
      cause: error,
    });
  }
}

async function openOrMake(fs: FileSystem, path: string, links: LockLinks): Promise<OpenFile> {
  const flags = constants.O_RDWR | (links === 'follow' ? 0 : constants.O_NOFOLLOW);
  try {
    return await fs.open(path, flags);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
  let file: OpenFile;
  try {
    file = await createPrivate(fs, path);
  } catch (error) {
    // Somebody was faster, or it is a link to where nothing is yet.
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return fs.open(path, flags | (links === 'follow' ? constants.O_CREAT : 0), 0o600);
  }
  try {
    // One that root makes in a user's home would lock the user's Codex out. Only one that is new: what was there may be
    // any file of root's, that a user wants to have.
    await adoptOwner(fs, dirname(path), file);
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
