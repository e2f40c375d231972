import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';

/**
 * What is in the state directory: nothing before it is made.
 *
 * @throws the file system's error
 */
export async function namesIn(fs: FileSystem, directory: string): Promise<string[]> {
  try {
    return await fs.readdir(directory);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
