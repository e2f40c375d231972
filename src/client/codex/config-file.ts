import { randomBytes } from 'node:crypto';
import { copyFile, open, readFile, readlink, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AuthdError, describeError, systemErrorCode } from '../../errors.js';

/** What became of a configuration file. */
export interface ConfigChange {
  readonly file: string;
  readonly changed: boolean;
  /** Where the text from before is; null if nothing changed, or there was no file. */
  readonly backup: string | null;
}

/**
 * Edits a file of somebody else's: atomically, at the end of all links, with the mode that it had, and with a copy of
 * what it was beside it. A new one is readable to its owner only.
 *
 * @param edit gives the new text; an empty one for a file that is not there
 * @throws AuthdError `storage`, with the file as it was, or what `edit` throws
 */
export async function editConfigFile(
  path: string,
  edit: (text: string) => string | Promise<string>,
): Promise<ConfigChange> {
  const real = await refusals(path, () => locate(path));
  const before = await refusals(path, () => readIfThere(real));
  const after = await edit(before ?? '');
  if (after === (before ?? '')) return { file: path, changed: false, backup: null };
  return refusals(path, async () => {
    const backup = before === undefined ? null : `${real}.codex-authd.bak`;
    if (backup !== null) await copyFile(real, backup);
    await replace(real, before, after);
    return { file: path, changed: true, backup };
  });
}

async function replace(real: string, before: string | undefined, after: string): Promise<void> {
  const temporary = join(dirname(real), `.config.codex-authd-${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(after);
      if (before !== undefined) {
        const { mode, uid, gid } = await stat(real);
        if (process.getuid?.() === 0) await file.chown(uid, gid);
        await file.chmod(mode & 0o7777);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if ((await readIfThere(real)) !== before) {
      throw new AuthdError('storage', `${real} was changed by somebody else at the same time`, {
        hint: 'run this again',
      });
    }
    await rename(temporary, real);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** The file at the end of all links; the path itself if nothing is there yet. */
async function locate(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    const target = await readlink(path).catch(() => undefined);
    if (target === undefined) return path;
    throw new Error(`it is a link to ${target}, which is not there`);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function refusals<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AuthdError) throw error;
    throw new AuthdError('storage', `cannot edit ${path}: ${describeError(error)}`, {
      hint: 'it is as it was; add by hand what `codex-authd codex-config` prints',
      cause: error,
    });
  }
}
