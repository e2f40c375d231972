import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Environment } from './paths.js';

/** Where a program lies that is called by its name alone; null if nowhere. */
export async function findProgram(name: string, env: Environment): Promise<string | null> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory === '' ? '.' : directory, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}
