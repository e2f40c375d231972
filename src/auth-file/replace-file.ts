import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { createPrivate, renameDurably, writeAll } from './durable.js';
import { isStillAt } from './still-at.js';

/** Removes what is left of a replacement that was cut short. */
export async function removeDraft(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(draftOf(path));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

function draftOf(path: string): string {
  return `${path}.new`;
}

/**
 * Replaces a file of our own, durably and atomically, without looking at what was in it.
 *
 * @throws the file system's error, or that somebody else has begun to replace it, who has the lock by now
 */
export async function replaceFile(fs: FileSystem, path: string, text: string): Promise<void> {
  const temporary = draftOf(path);
  await fs.unlink(temporary).catch(() => undefined);
  const file = await createPrivate(fs, temporary);
  let isOurs = true;
  try {
    try {
      await writeAll(file, Buffer.from(text, 'utf8'));
      await file.sync();
    } finally {
      isOurs = await isStillAt(fs, temporary, file).catch(() => false);
      await file.close();
    }
    if (!isOurs) throw new Error(`${path} is being replaced by somebody else`);
    await renameDurably(fs, temporary, path);
  } catch (error) {
    if (isOurs) await fs.unlink(temporary).catch(() => undefined);
    throw error;
  }
}
