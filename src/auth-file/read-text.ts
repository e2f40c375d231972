import { constants } from 'node:fs';
import type { FileSystem } from '../os/file-system.js';

/** The whole text of a small file. @throws the file system's error, or RangeError if it is over `limitBytes` */
export async function readText(fs: FileSystem, path: string, limitBytes: number): Promise<string> {
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    if (size > limitBytes) throw new RangeError(`${path} has over ${String(limitBytes)} bytes`);
    const buffer = new Uint8Array(size);
    let length = 0;
    for (let count = -1; count !== 0 && length < size; length += count) {
      count = await file.read(buffer.subarray(length), length);
    }
    return new TextDecoder().decode(buffer.subarray(0, length));
  } finally {
    // What was read has been read, whatever closing it says.
    await file.close().catch(() => undefined);
  }
}
