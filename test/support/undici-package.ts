import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as undici from 'undici';
import { installed } from './npm-package.js';

/** The newest of each major version that the interceptor is for, and from which Node on it is tested: 8 loads from 22.19 on. */
export const UNDICI_VERSIONS = [
  { version: '6.29.1', node: 20 },
  { version: '7.30.2', node: 20 },
  { version: '8.12.4', node: 24 },
] as const;

export type UndiciVersion = (typeof UNDICI_VERSIONS)[number]['version'];

/** The directory that has a real undici among its `node_modules`, from npm. */
export function undiciHome(version: UndiciVersion): Promise<string> {
  return installed(`undici/${version}`, `undici@${version}`);
}

/** A real undici. Its types are those of the one that this project has. */
export async function loadUndici(version: UndiciVersion): Promise<typeof undici> {
  const main = pathToFileURL(join(await undiciHome(version), 'node_modules', 'undici', 'index.js'));
  return (await import(main.href)) as typeof undici;
}
