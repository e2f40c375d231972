import { join } from 'node:path';
import { installed } from './npm-package.js';

/** A real Node of a later major version, from npm. */
export async function nodeBinary(major: number): Promise<string> {
  const system = `node-${process.platform}-${process.arch}`;
  const home = await installed(`node/${String(major)}`, `${system}@${String(major)}`);
  return join(home, 'node_modules', system, 'bin', 'node');
}
