import { realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeAuthFile } from '../login-file.js';
import { lockFile } from './file-lock.js';
import type { Rival } from './rival.js';
import { textOf } from './text-of.js';

/** For how long it waits for the second lock; then the tokens that it has just received are thrown away (facts 3.2). */
const PATIENCE_MS = 5_000;

/**
 * Codex 0.169: `flock` on `auth.lock` in its home, then on `auth.json.lock` beside the real file; it reads again,
 * compares, and replaces the real file with a temporary one that it has synced. What somebody else has rotated
 * meanwhile is left alone.
 */
export const codex0169: Rival = {
  version: '0.169.0',
  userAgent: 'codex_exec/0.169.0 (a rival of the tests)',
  save: (path, change) =>
    underBothLocks(path, async () => {
      const text = change(await textOf(path));
      if (text !== null) await writeAuthFile(path, text, 'replace');
    }),
  remove: (path) => underBothLocks(path, () => rm(path, { force: true })),
  storesOver: (now, before) => now.refresh_token === before.refresh_token,
};

async function underBothLocks(path: string, work: () => Promise<void>): Promise<void> {
  const first = await lockFile(join(dirname(path), 'auth.lock'));
  try {
    const real = await realpath(path).catch(() => path);
    const second = await lockFile(`${real}.lock`, PATIENCE_MS);
    try {
      await work();
    } finally {
      await second.release();
    }
  } finally {
    await first.release();
  }
}
