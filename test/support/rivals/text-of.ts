import { readFile } from 'node:fs/promises';
import { systemErrorCode } from '../../../src/errors.js';

/** The text of a file as it is at this moment, torn or not; null if there is none. */
export async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
