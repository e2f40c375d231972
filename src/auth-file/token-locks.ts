import { join } from 'node:path';
import type { FileSystem } from '../os/file-system.js';
import { tryKernelLock, type KernelLock } from './kernel-lock.js';
import { namesIn } from './names-in.js';

const SUFFIX = '.sending';

/**
 * Who may send a refresh token, of all daemons of this machine that have one state directory: `<fingerprint>.sending` in it is
 * locked by the kernel meanwhile. Two homes may have copies of one login, and each of them a daemon with an account lock of
 * its own.
 */
export class TokenLocks {
  readonly #fs: FileSystem;
  readonly #directory: string;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /**
   * Resolves to null if somebody else has it.
   *
   * @throws the file system's error
   */
  async take(fingerprint: string): Promise<Pick<KernelLock, 'release'> | null> {
    const path = join(this.#directory, `${fingerprint}${SUFFIX}`);
    await this.#fs.mkdir(this.#directory, 0o700);
    const lock = await tryKernelLock(this.#fs, path);
    if (lock === null) return null;
    return {
      release: async () => {
        try {
          // First, while it is ours: whoever takes it later makes another file.
          await this.#fs.unlink(path);
        } finally {
          await lock.release();
        }
      },
    };
  }

  /** Removes the files of daemons that were killed. */
  async sweep(): Promise<void> {
    const names = await namesIn(this.#fs, this.#directory);
    for (const name of names) {
      if (!name.endsWith(SUFFIX)) continue;
      const lock = await this.take(name.slice(0, -SUFFIX.length));
      await lock?.release();
    }
  }
}
