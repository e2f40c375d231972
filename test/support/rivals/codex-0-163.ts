import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeInPieces } from '../login-file.js';
import type { Change, Rival } from './rival.js';
import { textOf } from './text-of.js';

/**
 * Codex up to 0.164: no lock at all, and the file is truncated and written in place, so that readers can see it empty
 * or in part. It looks at nothing before it stores its tokens: they may end in another account's file (facts 3.3).
 */
export const codex0163: Rival = {
  version: '0.163.0',
  userAgent: 'codex_exec/0.163.0 (a rival of the tests)',
  async save(path, change) {
    await saveInPlace(path, change);
  },
  async remove(path) {
    await rm(path, { force: true });
  },
  storesOver: () => true,
};

/** For how long the file is empty, and then torn: longer than with the real one, so that readers meet it. */
const TORN_MS = 2;

export async function saveInPlace(path: string, change: Change): Promise<void> {
  const text = change(await textOf(path));
  if (text === null) return;
  const middle = Math.floor(text.length / 2);
  await writeInPieces(path, ['', text.slice(0, middle), text.slice(middle)], () => sleep(TORN_MS));
}
