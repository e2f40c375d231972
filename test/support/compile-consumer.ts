import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { scratchDir } from './scratch-dir.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What a consumer's program imports the package from: `dist`, as built. */
export const PACKAGE = JSON.stringify(join(ROOT, 'dist', 'index.js'));

/** What the compiler says of a consumer's program, in its strictest mode; empty if nothing. */
export async function compileConsumer(source: string, nodeModules: string): Promise<string> {
  const directory = await scratchDir();
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await symlink(nodeModules, join(directory, 'node_modules'));
  await writeFile(join(directory, 'main.ts'), source);
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'];
  const target = ['--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const roots = ['--typeRoots', join(ROOT, 'node_modules', '@types')];
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await promisify(execFile)(process.execPath, [tsc, ...flags, ...target, ...roots, 'main.ts'], {
      cwd: directory,
    });
    return '';
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
}
