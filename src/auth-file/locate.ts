import { basename, dirname, join, resolve } from 'node:path';
import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';

/** How many links to nowhere are followed before giving up; a loop ends there. */
const MAX_LINKS = 16;

/** What a lookup meets where there is nothing, or no link. Any other error tells nothing of where a file lies. */
const NOT_THERE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL']);

/**
 * Where the real auth.json is, or would be: symbolic links are followed, also one that leads to a file which is
 * not there yet. Everything that belongs to the file (temporary file, lock) lies beside the real one.
 *
 * @throws the file system's error if it cannot be found out: another place would have another lock
 */
export async function locateRealFile(fs: FileSystem, path: string): Promise<string> {
  let at = path;
  for (let links = 0; links < MAX_LINKS; links += 1) {
    const found = await orNull(fs.realpath(at));
    if (found !== null) return found;
    const entry = await locateEntry(fs, at);
    const target = await orNull(fs.readlink(at));
    if (target === null) return entry;
    at = resolve(dirname(entry), target);
  }
  return path;
}

/** Where auth.json itself lies, be it a file or a link: its directory as it really is called, and its own name. */
export async function locateEntry(fs: FileSystem, path: string): Promise<string> {
  return join((await orNull(fs.realpath(dirname(path)))) ?? dirname(path), basename(path));
}

async function orNull(lookup: Promise<string>): Promise<string | null> {
  try {
    return await lookup;
  } catch (error) {
    if (!NOT_THERE.has(systemErrorCode(error))) throw error;
    return null;
  }
}
