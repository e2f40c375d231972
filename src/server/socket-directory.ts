import { chmod, lstat, mkdir, readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { AuthdError, systemErrorCode } from '../errors.js';
import { quoteForShell } from '../os/quote-for-shell.js';
import { isTemporaryName, lockPath } from './socket-names.js';

const ANOTHER_DIRECTORY = 'choose a path in a directory of its own with --socket';

/**
 * Makes sure that the directory of the socket at `path` exists, is ours and is closed to everybody else: whoever may pass
 * through it could connect before the socket has its mode, or put a socket of their own in its place.
 *
 * @throws AuthdError `bad_socket`
 */
export async function prepareDirectory(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    await makeDirectory(directory);
    await checkDirectory(directory, path);
  } catch (error) {
    if (error instanceof AuthdError) throw error;
    throw new AuthdError(
      'bad_socket',
      `the directory of the socket cannot be used: ${directory}: ${systemErrorCode(error) ?? 'unknown error'}`,
      { hint: 'choose another path with --socket', cause: error },
    );
  }
}

async function makeDirectory(directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return;
    throw error;
  }
  // The umask may have taken bits away, never added some: until here the directory was too closed at worst.
  await chmod(directory, 0o700);
}

async function checkDirectory(directory: string, path: string): Promise<void> {
  const entry = await lstat(directory);
  const info = entry.isSymbolicLink() ? await stat(directory) : entry;
  if (!info.isDirectory()) {
    throw new AuthdError('bad_socket', `the socket cannot be made: ${directory} is not a directory`, {
      hint: 'choose another path with --socket',
    });
  }
  const uid = process.getuid?.();
  if (entry.uid !== uid || info.uid !== uid) {
    throw new AuthdError('bad_socket', `the directory of the socket belongs to another user: ${directory}`, {
      hint: 'choose another path with --socket',
    });
  }
  if ((info.mode & 0o077) !== 0) {
    const mode = (info.mode & 0o777).toString(8).padStart(4, '0');
    throw new AuthdError(
      'bad_socket',
      `the directory of the socket is open to other users (mode ${mode}): ${directory}`,
      { hint: (await isOurs(directory, info.mode, path)) ? closing(directory) : ANOTHER_DIRECTORY },
    );
  }
}

/**
 * Whether closing the directory can harm nobody. Never offered for one that others use: whoever follows the hint for
 * a socket in /tmp, or in a home that a web server reads, breaks more than this daemon.
 */
async function isOurs(directory: string, mode: number, path: string): Promise<boolean> {
  if (basename(directory) === 'codex-authd') return true;
  // The sticky bit is for directories that are everybody's, even while they are empty.
  if ((mode & 0o1000) !== 0) return false;
  const mine = [basename(path), basename(lockPath(path))];
  const names = await readdir(directory);
  return names.every((name) => mine.includes(name) || isTemporaryName(name));
}

function closing(directory: string): string {
  return `close it with \`chmod 700 ${quoteForShell(directory)}\`, or ${ANOTHER_DIRECTORY}`;
}
