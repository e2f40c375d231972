import { subscribe } from 'node:diagnostics_channel';
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ANSWERED } from '../client/answered.js';
import { stateDirectory, type Environment } from '../os/paths.js';
import { PRODUCT } from '../protocol.js';
import { readVersion } from '../version.js';
import type { Output } from './output.js';

/** A line for each pair of versions that was told of: ours, and the daemon's. */
const FILE = 'version-skew';

/** From now on, hints at a daemon of another version: once for each pair of versions, whichever command met it. */
export function hintAtVersionSkew(env: Environment, output: Pick<Output, 'hint'>): void {
  let isDone = false;
  subscribe(ANSWERED, (server) => {
    const daemons = versionIn(server);
    if (isDone || daemons === null) return;
    isDone = true;
    const own = readVersion();
    if (daemons === own || wasTold(env, `${own} ${daemons}`)) return;
    output.hint(`the daemon is of version ${daemons}, this command line of ${own}: restart the daemon`);
  });
}

function versionIn(server: unknown): string | null {
  if (typeof server !== 'string' || !server.startsWith(`${PRODUCT}/`)) return null;
  const version = server.slice(PRODUCT.length + 1);
  return /^[\w.+-]{1,64}$/.test(version) ? version : null;
}

/** Remembers it as well. Where nothing can be remembered, it is told again: that is no reason to fail. */
function wasTold(env: Environment, pair: string): boolean {
  try {
    const directory = stateDirectory(env);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const file = openSync(join(directory, FILE), 'a+', 0o600);
    try {
      if (readFileSync(file, 'utf8').split('\n').includes(pair)) return true;
      writeSync(file, `${pair}\n`);
    } finally {
      closeSync(file);
    }
  } catch {
    // See above.
  }
  return false;
}
