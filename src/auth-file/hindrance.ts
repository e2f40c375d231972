import { constants } from 'node:fs';
import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { quoteForShell } from '../os/quote-for-shell.js';

/** Why a file cannot be replaced although others can be made beside it. */
export interface Hindrance {
  /** A clause, lower case. */
  readonly detail: string;
  readonly hint: string;
  /** The shell command that takes it away; null where that has to be done elsewhere. */
  readonly command: string | null;
}

/** Takes away what even root's rename is refused for. */
const FREEING = process.platform === 'darwin' ? 'chflags nouchg,nouappnd' : 'chattr -i -a';

/**
 * Looks for what only a rename would meet, and what therefore has to be found out before a token is spent: a file that is
 * mounted by itself, as into a container, and one whose attributes forbid to change it.
 */
export async function findHindrance(fs: FileSystem, realPath: string): Promise<Hindrance | null> {
  if (await fs.isMountPoint(realPath)) {
    return {
      detail: `${realPath} is mounted by itself, without its directory, and cannot be replaced`,
      hint: 'mount the directory that holds it, not the file alone',
      command: null,
    };
  }
  if (await isImmutable(fs, realPath)) {
    const command = `sudo ${FREEING} ${quoteForShell(realPath)}`;
    return {
      detail: `${realPath} cannot be changed: it seems to be immutable or append-only`,
      hint: `run \`${command}\``,
      command,
    };
  }
  return null;
}

/** Only EPERM tells: what the permissions of the file itself forbid is no matter of a rename. */
async function isImmutable(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await (await fs.open(path, constants.O_RDWR | constants.O_NONBLOCK)).close();
    return false;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}
