import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { chmod, lstat, readdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { AuthdError, systemErrorCode } from '../errors.js';
import { tryToConnect } from '../os/dial.js';
import { LONGEST_SOCKET_PATH_BYTES } from '../os/paths.js';
import { findStaleSocket, type FileIdentity } from './probe.js';
import { prepareDirectory } from './socket-directory.js';
import { lockSocket } from './socket-lock.js';
import { isTemporaryName, temporaryPath } from './socket-names.js';

/** Beyond this many that are not yet accepted, connecting gives EAGAIN; the system has a limit of its own too. */
export const BACKLOG = 4096;

/** A temporary socket that nobody listens on is rubbish once it is this old. */
const RUBBISH_AFTER_MS = 10_000;

/** The socket that a server listens on. */
export interface BoundSocket {
  /** Whether somebody else holds it too, and goes on taking connections when we are gone. */
  readonly outlivesUs: boolean;
  /** Removes the socket from its path, unless it is another's by now. Call it while the server still listens. */
  remove(): void;
}

/**
 * Makes `server` listen on a socket at `path`, mode 0600 in a directory of mode 0700. A stale socket is replaced, a
 * live one never. It is bound under another name and renamed to its own when it is ready, so that nobody ever finds
 * it with a wrong mode, and so that Node's `close()` cannot remove a successor's (facts 5.6).
 *
 * @throws AuthdError `bad_socket`, `already_running`
 */
export async function listenAt(server: Server, path: string, log: Logger): Promise<BoundSocket> {
  checkPath(path);
  await prepareDirectory(path);
  const release = await lockSocket(path, log);
  try {
    await sweep(dirname(path));
    const stale = await findStaleSocket(path);
    const mine = await bind(server, path, stale);
    return {
      outlivesUs: false,
      remove: () => {
        removeSocket(path, mine);
      },
    };
  } catch (error) {
    if (error instanceof AuthdError) throw error;
    throw new AuthdError(
      'bad_socket',
      `the socket ${path} cannot be made: ${systemErrorCode(error) ?? 'unknown error'}`,
      { hint: 'choose another path with --socket', cause: error },
    );
  } finally {
    await release();
  }
}

function checkPath(path: string): void {
  if (path.includes('\0')) throw new AuthdError('bad_socket', 'the path of the socket contains a zero byte');
  const limit = `the limit of this system is ${String(LONGEST_SOCKET_PATH_BYTES)}`;
  const hint = 'choose a shorter path with --socket';
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_SOCKET_PATH_BYTES) {
    throw new AuthdError(
      'bad_socket',
      `the path of the socket has ${String(bytes)} bytes, ${limit}: ${path}`,
      {
        hint,
      },
    );
  }
  const temporaryBytes = Buffer.byteLength(temporaryPath(path));
  if (temporaryBytes > LONGEST_SOCKET_PATH_BYTES) {
    throw new AuthdError(
      'bad_socket',
      `a temporary name beside the socket would have ${String(temporaryBytes)} bytes, ${limit}: ${path}`,
      { hint },
    );
  }
}

async function bind(server: Server, path: string, stale: FileIdentity | null): Promise<FileIdentity> {
  const temporary = await listenTemporarily(server, path);
  try {
    await chmod(temporary, 0o600);
    const { dev, ino } = await lstat(temporary);
    // proper-lockfile lets two in once a lock is stale (facts 5.1): look again, with nothing between look and act.
    if (!isSame(identify(path), stale)) {
      throw new AuthdError('already_running', `another daemon has just made its socket at ${path}`, {
        hint: 'use that one, or stop it first',
      });
    }
    renameSync(temporary, path);
    return { dev, ino };
  } catch (error) {
    await new Promise((resolve) => server.close(resolve));
    await unlink(temporary).catch(ignore);
    throw error;
  }
}

async function listenTemporarily(server: Server, path: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const temporary = temporaryPath(path);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ path: temporary, backlog: BACKLOG }, () => {
          server.removeListener('error', reject);
          resolve();
        });
      });
      return temporary;
    } catch (error) {
      if (systemErrorCode(error) !== 'EADDRINUSE' || attempt === 5) throw error;
    }
  }
}

/**
 * Needs no lock: while we listen no other daemon replaces our socket, and as long as it is open its inode number is
 * not given to another file.
 */
function removeSocket(path: string, mine: FileIdentity): void {
  if (isSame(identify(path), mine)) unlinkSync(path);
}

/** Removes what a daemon left that was killed between bind and rename. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!isTemporaryName(name)) continue;
    const path = join(directory, name);
    const found = await lstat(path).catch(() => null);
    if (found?.isSocket() !== true || Date.now() - found.mtimeMs < RUBBISH_AFTER_MS) continue;
    if ((await tryToConnect(path)) === 'ECONNREFUSED') await unlink(path).catch(ignore);
  }
}

function identify(path: string): FileIdentity | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? null : { dev: found.dev, ino: found.ino };
}

function isSame(a: FileIdentity | null, b: FileIdentity | null): boolean {
  return a?.dev === b?.dev && a?.ino === b?.ino;
}

function ignore(): void {
  // What could not be removed is gone already, or is removed by the next daemon.
}
