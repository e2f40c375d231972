import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { saveInPlace } from './codex-0-163.js';
import { lockFile } from './file-lock.js';
import type { Rival } from './rival.js';

/**
 * Codex 0.166: `flock` on `auth.lock` in its home, for which it waits without limit; the file is still truncated and
 * written in place. It knows its account, but stores over a newer pair of the same one (facts 3.3).
 */
export const codex0166: Rival = {
  version: '0.166.0',
  userAgent: 'codex_exec/0.166.0 (a rival of the tests)',
  async save(path, change) {
    const lock = await lockFile(join(dirname(path), 'auth.lock'));
    try {
      await saveInPlace(path, change);
    } finally {
      await lock.release();
    }
  },
  async remove(path) {
    const lock = await lockFile(join(dirname(path), 'auth.lock'));
    try {
      await rm(path, { force: true });
    } finally {
      await lock.release();
    }
  },
  storesOver: (now, before) => now.account_id === before.account_id,
};
