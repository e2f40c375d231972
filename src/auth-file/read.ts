import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { Reading } from '../core/reading.js';
import { describeError, systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { readOtherStore } from './credential-store.js';
import { locateRealFile } from './locate.js';

/** An auth.json is 4 to 8 kB; what is over this size is none. */
const LARGEST_BYTES = 1024 * 1024;

/** O_NONBLOCK: a FIFO in the file's place must not hang the daemon. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** Reads the file as it is at this moment. Never throws for what is on the disk: that is part of the answer. */
export async function readAuthFile(fs: FileSystem, path: string): Promise<Reading> {
  let file: OpenFile;
  try {
    file = await fs.open(path, READ_FLAGS);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') return readAbsence(fs, path);
    return refuse('unreadable', `auth.json cannot be opened: ${describeError(error)}`, code);
  }
  try {
    return await readOpenFile(fs, path, file);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT') return { kind: 'unsettled' };
    return refuse('unreadable', `auth.json cannot be read: ${describeError(error)}`, code);
  } finally {
    // What was read has been read, whatever closing it says.
    await file.close().catch(() => undefined);
  }
}

async function readOpenFile(fs: FileSystem, path: string, file: OpenFile): Promise<Reading> {
  const { kind, size, stamp, modifiedAtMs } = await file.stat();
  if (kind !== 'file') {
    const what = kind === 'directory' ? 'a directory' : 'not a regular file';
    return refuse('not_a_file', `auth.json is ${what}`, stamp);
  }
  if (size > LARGEST_BYTES) {
    return refuse(
      'too_large',
      `auth.json has ${String(size)} bytes, over the limit of ${String(LARGEST_BYTES)}`,
      stamp,
    );
  }
  const bytes = await readBytes(file, size);
  const after = await fs.stat(path);
  if (after.stamp !== stamp || bytes.length !== size) return { kind: 'unsettled' };
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { kind: 'text', text, stamp, modifiedAtMs };
  } catch {
    return refuse('not_utf8', 'auth.json is not UTF-8 text', stamp);
  }
}

async function readBytes(file: OpenFile, size: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(size + 1);
  let length = 0;
  while (length < buffer.length) {
    const count = await file.read(buffer.subarray(length), length);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

/** The stamp of a file that is not there is its directory's: it changes when anything appears in or leaves it. */
async function readAbsence(fs: FileSystem, path: string): Promise<Reading> {
  const otherStore = await readOtherStore(fs, dirname(path));
  try {
    const { stamp } = await fs.stat(dirname(await locateRealFile(fs, path)));
    return { kind: 'absent', stamp: `${stamp} ${otherStore ?? 'file'}`, otherStore };
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return { kind: 'absent', stamp: 'no directory', otherStore };
  }
}

function refuse(
  reason: Extract<Reading, { kind: 'refused' }>['reason'],
  detail: string,
  stamp: string,
): Reading {
  return { kind: 'refused', reason, detail, stamp };
}
