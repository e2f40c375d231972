import { chmod, lstat, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AuthdError, systemErrorCode } from '../errors.js';

/**
 * Makes sure that the directory of the socket exists, is ours and is closed to everybody else: whoever may pass
 * through it could connect before the socket has its mode, or put a socket of their own in its place.
 *
 * @throws AuthdError `bad_socket`
 */
export async function prepareDirectory(directory: string): Promise<void> {
  try {
    await makeDirectory(directory);
    await checkDirectory(directory);
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

async function checkDirectory(directory: string): Promise<void> {
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
      { hint: `chmod 700 ${directory}` },
    );
  }
}
