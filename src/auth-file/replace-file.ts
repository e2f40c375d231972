import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { createPrivate, renameDurably, writeAll } from './durable.js';

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

/** Replaces a file of our own, durably and atomically, without looking at what was in it. */
export async function replaceFile(fs: FileSystem, path: string, text: string): Promise<void> {
  const temporary = draftOf(path);
  await fs.unlink(temporary).catch(() => undefined);
  const file = await createPrivate(fs, temporary);
  try {
    try {
      await writeAll(file, Buffer.from(text, 'utf8'));
      await file.sync();
    } finally {
      await file.close();
    }
    await renameDurably(fs, temporary, path);
  } catch (error) {
    await fs.unlink(temporary).catch(() => undefined);
    throw error;
  }
}
