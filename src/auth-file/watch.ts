import type { FSWatcher } from 'chokidar';
import { describeError } from '../errors.js';
import type { Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { settleAfter, type Settle } from './settle.js';
import { findTargets, watchTargets } from './watch-targets.js';

export interface AuthFileWatch {
  /** Looks whether the watched directories are still the same ones, and watches anew if not. */
  recheck(): Promise<void>;
  close(): Promise<void>;
}

export interface WatchOptions {
  readonly path: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** Something may have changed: read the file. */
  readonly onDirty: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Watches the directory of an auth.json, and of the real file where it is a symbolic link; where the directory is
 * not there yet, its nearest ancestor. An event means "dirty", nothing more. A watch on the file itself would go
 * deaf after the first rename (facts 5.2).
 */
export async function watchAuthFile(options: WatchOptions): Promise<AuthFileWatch> {
  const watch = new DirectoryWatch(options);
  // What fails is tried again with every recheck.
  await watch.recheck().catch(options.onError);
  return watch;
}

class DirectoryWatch implements AuthFileWatch {
  readonly #options: WatchOptions;
  readonly #settle: Settle;
  #watcher: FSWatcher | null = null;
  /** What the watcher watches; empty if nothing, or if it has failed: it may be deaf then. */
  #signature = '';
  #isFirst = true;
  #isClosed = false;
  #lastFailure = '';
  #turn: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#settle = settleAfter(options.clock, () => void this.#wake());
  }

  /** One after the other; all who ask while one is under way share the next. */
  recheck(): Promise<void> {
    this.#waiting ??= this.#turn.then(() => {
      this.#waiting = null;
      return this.#recheckNow();
    });
    this.#turn = this.#waiting.catch(() => undefined);
    return this.#waiting;
  }

  /** A recheck under way is not waited for: it may hang with the file system, and leaves nothing behind. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#settle.cancel();
    await this.#watcher?.close();
  }

  async #wake(): Promise<void> {
    await this.recheck().catch(this.#options.onError);
    if (!this.#isClosed) this.#options.onDirty();
  }

  async #recheckNow(): Promise<void> {
    const targets = await findTargets(this.#options.fs, this.#options.path);
    const signature = targets
      .map(({ directory, name, identity }) => [directory, name, identity].join())
      .join();
    if (this.#isClosed || signature === this.#signature) return;
    this.#signature = '';
    await this.#watcher?.close();
    if (this.#hasClosed()) return;
    const health = { hasFailed: false };
    const watcher = await watchTargets(targets, this.#settle.event, (error) => {
      health.hasFailed = true;
      this.#signature = '';
      this.#report(error);
    });
    this.#watcher = watcher;
    // Closed meanwhile, when this one was not there to be closed.
    if (this.#hasClosed()) {
      await watcher.close();
      return;
    }
    if (!health.hasFailed) {
      this.#signature = signature;
      this.#lastFailure = '';
    }
    if (!this.#isFirst) this.#settle.event();
    this.#isFirst = false;
  }

  /** A watch that fails with every recheck says so once. */
  #report(error: unknown): void {
    const failure = describeError(error);
    if (failure !== this.#lastFailure && !this.#isClosed) this.#options.onError(error);
    this.#lastFailure = failure;
  }

  /** Asked again after every wait. */
  #hasClosed(): boolean {
    return this.#isClosed;
  }
}
