import { constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemFileSystem, type OpenFile } from '../../../src/os/file-system.js';

/** Codex had to wait for a lock for longer than it does. What it was about to save is gone. */
export class CodexLockTimeout extends Error {}

export interface FileLock {
  release(): Promise<void>;
}

const RETRY_MS = 5;

/**
 * An exclusive `flock` on a file that is made if it is not there and stays behind, as Codex takes it. Without
 * `patienceMs` it is waited for without limit, not in the kernel, since the thread has more to do.
 *
 * @throws CodexLockTimeout
 * @throws the file system's error, EISDIR where a directory is in the file's place
 */
export async function lockFile(path: string, patienceMs = Infinity): Promise<FileLock> {
  const file = await systemFileSystem.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await wait(file, path, Date.now() + patienceMs);
  } catch (error) {
    await file.close();
    throw error;
  }
  return { release: () => file.close() };
}

async function wait(file: OpenFile, path: string, giveUpAtMs: number): Promise<void> {
  for (;;) {
    const taken = await file.tryLock();
    if (taken === true) return;
    if (taken === null)
      throw new Error('there is no flock here: the optional package koffi is not installed');
    if (Date.now() >= giveUpAtMs) throw new CodexLockTimeout(`${path} is held by another process`);
    await sleep(RETRY_MS);
  }
}
