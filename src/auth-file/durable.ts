import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../os/file-system.js';

const CREATE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
/** Whoever puts a pipe there must not make us wait. */
const FILE_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;

/** Creates a file that nobody else may read. It must not exist. */
export function createPrivate(fs: FileSystem, path: string): Promise<OpenFile> {
  return fs.open(path, CREATE_FLAGS, 0o600);
}

/** Writes all of it, from `start` on: a single write may take less than it was given (facts 5.3). */
export async function writeAll(file: OpenFile, bytes: Uint8Array, start = 0): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const count = await file.write(done === 0 ? bytes : bytes.subarray(done), start + done);
    if (count === 0) throw new Error('the file system takes no more bytes');
    done += count;
  }
}

/** Moves a file over another one, so that the change outlives a loss of power: the directory is synced as well. */
export async function renameDurably(fs: FileSystem, from: string, to: string): Promise<void> {
  await fs.rename(from, to);
  await syncDirectory(fs, dirname(to));
}

/** Makes the names in a directory outlive a loss of power. */
export async function syncDirectory(fs: FileSystem, path: string): Promise<void> {
  await sync(fs, path, DIRECTORY_FLAGS);
}

/** Makes what is in a file outlive a loss of power, whoever wrote it. */
export async function syncFile(fs: FileSystem, path: string): Promise<void> {
  await sync(fs, path, FILE_FLAGS);
}

async function sync(fs: FileSystem, path: string, flags: number): Promise<void> {
  const file = await fs.open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
