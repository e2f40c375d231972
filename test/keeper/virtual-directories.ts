import type { PublicationRecord } from '../../src/core/publication.js';
import { AuthdError } from '../../src/errors.js';
import { ClaimedDirectories } from '../../src/keeper/claimed-directories.js';
import type { PublicationPorts, PublishedFilePort } from '../../src/keeper/ports.js';

/** Directories in memory, each there as soon as it is named, unless a test says otherwise. */
export class VirtualDirectories implements PublicationPorts {
  /** The texts of the files, by directory. */
  readonly files = new Map<string, string>();
  /** Every text that was ever put somewhere. */
  readonly history: string[] = [];
  directories = new ClaimedDirectories();
  remembered: readonly PublicationRecord[] = [];
  /** What the next writes and removals fail with. */
  failures: AuthdError[] = [];
  /** Those that somebody has removed. */
  readonly gone = new Set<string>();
  /** Whether what is published cannot be remembered. */
  isForgetful = false;
  /** While it is there, every directory hangs. */
  hanging: Promise<void> = Promise.resolve();

  readonly store = {
    load: (): Promise<readonly PublicationRecord[]> => Promise.resolve(this.remembered),
    save: (publications: readonly PublicationRecord[]): Promise<void> => {
      if (this.isForgetful) return Promise.reject(new Error('ENOSPC'));
      this.remembered = publications;
      return Promise.resolve();
    },
  };

  readonly fileIn = (directory: string): PublishedFilePort => {
    const read = (): string | null => this.files.get(directory) ?? null;
    return {
      directory,
      path: `${directory}/auth.json`,
      prepare: () => Promise.resolve(),
      locate: () => {
        if (!this.gone.has(directory)) return Promise.resolve(directory.replace('/link', '/real'));
        const cause = Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
        return Promise.reject(new AuthdError('storage', 'there is no directory', { cause }));
      },
      isHomeOf: (authFile) => Promise.resolve(authFile === `${directory}/auth.json`),
      reads: async (text) => {
        await this.hanging;
        return read() === text;
      },
      put: async (text, isOurs) => {
        await this.#stumble();
        const there = read();
        if (there !== null && !isOurs(there)) throw new AuthdError('bad_request', 'it is not ours');
        this.files.set(directory, text);
        this.history.push(text);
      },
      remove: async (isOurs) => {
        await this.#stumble();
        const there = read();
        if (there === null) return 'absent';
        if (!isOurs(there)) return 'foreign';
        this.files.delete(directory);
        return 'removed';
      },
    };
  };

  async #stumble(): Promise<void> {
    await this.hanging;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }
}
