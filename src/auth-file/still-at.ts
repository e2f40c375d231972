import { systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';

/** Whether a file that is open still lies at its path: nobody has removed or replaced it. */
export async function isStillAt(fs: FileSystem, path: string, file: OpenFile): Promise<boolean> {
  try {
    return (await fs.stat(path)).identity === (await file.stat()).identity;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
