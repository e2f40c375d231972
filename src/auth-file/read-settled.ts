import type { Reading } from '../core/reading.js';
import { pause, type Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { readAuthFile } from './read.js';

/** Bad news must hold for this long before it is believed. */
const CONFIRM_MS = 250;
const CONFIRM_ATTEMPTS = 5;

/**
 * Reads the file when its writer has finished. Good news (a whole JSON document) is believed at once; a file that
 * is missing, torn or unreadable only when it was the same a quarter of a second before: Codex up to 0.166
 * truncates the file in place before it writes (facts 3).
 */
export async function readSettled(fs: FileSystem, path: string, clock: Clock): Promise<Reading> {
  let seen = await readAuthFile(fs, path);
  let alwaysAbsent = seen.kind === 'absent';
  for (let attempt = 0; attempt < CONFIRM_ATTEMPTS && !isWhole(seen); attempt += 1) {
    await pause(clock, CONFIRM_MS);
    const next = await readAuthFile(fs, path);
    if (isSame(seen, next)) return next;
    alwaysAbsent &&= next.kind === 'absent';
    seen = next;
  }
  // A directory in which others are busy never has the same stamp twice; five times absent is absent.
  return isWhole(seen) || alwaysAbsent ? seen : { kind: 'unsettled' };
}

function isWhole(reading: Reading): boolean {
  if (reading.kind !== 'text') return false;
  try {
    JSON.parse(reading.text);
    return true;
  } catch {
    return false;
  }
}

function isSame(a: Reading, b: Reading): boolean {
  return a.kind !== 'unsettled' && b.kind !== 'unsettled' && a.kind === b.kind && a.stamp === b.stamp;
}
