import { dirname } from 'node:path';
import type { Reading } from '../core/reading.js';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { withCodexLocks } from './codex-locks.js';
import { syncDirectory, syncFile } from './durable.js';
import { findHindrance } from './hindrance.js';
import { locateRealFile } from './locate.js';
import { readSettled } from './read-settled.js';
import { readAuthFile } from './read.js';
import { openStage, removeLeftovers, type Stage } from './stage.js';

/** One auth.json on disk: the only way in which the rest of the program touches it. */
export class AuthFile {
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #clock: Clock;

  constructor(path: string, fs: FileSystem, clock: Clock) {
    this.path = path;
    this.#fs = fs;
    this.#clock = clock;
  }

  /** The file as it is at this moment, torn or not. */
  read(): Promise<Reading> {
    return readAuthFile(this.#fs, this.path);
  }

  /** The file once its writer has finished: bad news is believed only when it lasts. Takes up to 1.5 s. */
  readSettled(): Promise<Reading> {
    return readSettled(this.#fs, this.path, this.#clock);
  }

  /**
   * Makes sure that a text of about `size` bytes can be stored. Only under the account's lock.
   *
   * @throws AuthdError `storage`
   */
  async stage(size: number, isLockHeld: () => boolean): Promise<Stage> {
    const realPath = await this.#locate();
    const hindrance = await findHindrance(this.#fs, realPath);
    if (hindrance !== null) throw new AuthdError('storage', hindrance.detail, { hint: hindrance.hint });
    const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
      withCodexLocks(this.#fs, this.path, realPath, this.#clock, work);
    // A lock file that cannot be taken is found out now, not when the token is spent.
    await exclusively(() => Promise.resolve());
    // One that could not be removed when it was given up.
    await removeLeftovers(this.#fs, realPath, isLockHeld).catch(() => undefined);
    const isInPlace = async (): Promise<boolean> => (await this.#locate()) === realPath;
    return openStage(this.#fs, realPath, size, { exclusively, isInPlace });
  }

  /**
   * Makes durable what is in the file now, which others wrote and need not have synced; or that there is none.
   *
   * @throws if the file system fails
   */
  async confirm(): Promise<void> {
    const realPath = await this.#locate();
    await unlessAbsent(syncFile(this.#fs, realPath));
    // The link to it may be another one since a moment ago.
    for (const directory of new Set([dirname(realPath), dirname(this.path)]))
      await this.#syncNames(directory);
  }

  /** Of a directory, or of the one that says that it is not there. */
  async #syncNames(directory: string): Promise<void> {
    const isSynced = await unlessAbsent(syncDirectory(this.#fs, directory));
    if (!isSynced && directory !== dirname(directory)) await this.#syncNames(dirname(directory));
  }

  async #locate(): Promise<string> {
    try {
      return await locateRealFile(this.#fs, this.path);
    } catch (error) {
      throw new AuthdError('storage', `auth.json cannot be found: ${describeError(error)}`, {
        hint: 'make the directories on the way to it readable',
        cause: error,
      });
    }
  }
}

/** False if there is nothing. */
async function unlessAbsent(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return false;
    throw error;
  }
}
