import { dirname, join } from 'node:path';
import type { Reading } from '../core/reading.js';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { withCodexLocks } from './codex-locks.js';
import { syncDirectory } from './durable.js';
import { locateRealFile } from './locate.js';
import { readAuthFile } from './read.js';
import { openStage, removeLeftovers, type Stage } from './stage.js';

/** Whether a text is one that the daemon published, and may replace. */
export type IsOurs = (text: string) => boolean;

/**
 * The auth.json of a directory that is not the account's own. Whatever is there and was not published by the daemon
 * stays as it is, also if it comes at the last moment: it is replaced and removed under Codex's locks, as the
 * account's own file is (facts 3).
 */
export class PublishedFile {
  readonly directory: string;
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #clock: Clock;

  /** @param directory absolute */
  constructor(directory: string, fs: FileSystem, clock: Clock) {
    this.directory = directory;
    this.path = join(directory, 'auth.json');
    this.#fs = fs;
    this.#clock = clock;
  }

  /**
   * Makes the directory, 0700, if nothing but itself is missing: a path that is misspelt must not become a tree.
   *
   * @throws AuthdError `storage`; `bad_request` if its parent is missing, or there is no directory
   */
  async prepare(): Promise<void> {
    if (await this.#isDirectory(this.directory)) return;
    const parent = dirname(this.directory);
    if (!(await this.#isDirectory(parent))) {
      throw new AuthdError('bad_request', `there is no directory ${parent} to make ${this.directory} in`, {
        hint: 'make it, or correct the path',
      });
    }
    try {
      await this.#fs.mkdir(this.directory, 0o700);
      await syncDirectory(this.#fs, parent);
    } catch (error) {
      throw this.#storage(`${this.directory} cannot be made`, error);
    }
  }

  /**
   * The real path of the directory.
   *
   * @throws AuthdError `storage` if it is not there
   */
  async locate(): Promise<string> {
    try {
      return await this.#fs.realpath(this.directory);
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
      throw new AuthdError('storage', `there is no directory ${this.directory}: ${describeError(error)}`, {
        hint: `make it, or run \`codex-authd publish --stop ${this.directory}\``,
        cause: error,
      });
    }
  }

  /** Whether this directory is the home of an auth.json, or where a link leads that stands in its place. */
  async isHomeOf(authFile: string): Promise<boolean> {
    const real = await this.locate();
    const home = await this.#fs.realpath(dirname(authFile)).catch(() => dirname(authFile));
    return real === home || real === dirname(await locateRealFile(this.#fs, authFile));
  }

  /** Whether it reads so at this moment. */
  async reads(text: string): Promise<boolean> {
    const reading = await readAuthFile(this.#fs, this.path);
    return reading.kind === 'text' && reading.text === text && !(await this.#isLink());
  }

  /**
   * Makes the file read `text`, durably and at once.
   *
   * @throws AuthdError `bad_request` if what is there was not published by the daemon; `storage`
   */
  async put(text: string, isOurs: IsOurs): Promise<void> {
    const expected = await this.#replaceable(isOurs);
    let stage: Stage | null = null;
    try {
      await removeLeftovers(this.#fs, this.path);
      stage = await openStage(this.#fs, this.path, Buffer.byteLength(text), {
        exclusively: (work) => this.#exclusively(work),
      });
      if (await stage.commit(expected, text)) return;
    } catch (error) {
      throw this.#storage(`${this.path} cannot be written`, error);
    } finally {
      await stage?.discard();
    }
    throw new AuthdError('storage', `${this.path} was written by somebody else at this moment`);
  }

  /**
   * Removes the file, if it is the daemon's, and what a daemon that was killed left beside it.
   *
   * @throws AuthdError `storage`
   */
  async remove(isOurs: IsOurs): Promise<'removed' | 'absent' | 'foreign'> {
    try {
      const found = await this.#owner(isOurs);
      if (found === 'foreign') return found;
      await removeLeftovers(this.#fs, this.path);
      if (found === 'absent') return found;
      return await this.#exclusively(async () => {
        if ((await this.#owner(isOurs)) !== 'ours') return 'foreign';
        await this.#fs.unlink(this.path);
        await syncDirectory(this.#fs, this.directory);
        return 'removed';
      });
    } catch (error) {
      // Where there is no directory, there is no file either.
      if (systemErrorCode(error) === 'ENOENT') return 'absent';
      throw this.#storage(`${this.path} cannot be removed`, error);
    }
  }

  async #owner(isOurs: IsOurs): Promise<'ours' | 'absent' | 'foreign'> {
    if (await this.#isLink()) return 'foreign';
    const reading = await readAuthFile(this.#fs, this.path);
    if (reading.kind === 'absent') return 'absent';
    return reading.kind === 'text' && isOurs(reading.text) ? 'ours' : 'foreign';
  }

  /** What is in the file that may be replaced; null if there is none. */
  async #replaceable(isOurs: IsOurs): Promise<string | null> {
    if (await this.#isLink()) throw this.#refusal('is a link that the daemon did not make');
    const reading = await this.#read();
    if (reading.kind === 'absent') return null;
    if (reading.kind === 'text' && isOurs(reading.text)) return reading.text;
    throw this.#refusal('was not published by this account, and stays as it is');
  }

  async #read(): Promise<Exclude<Reading, { kind: 'unsettled' }>> {
    const reading = await readAuthFile(this.#fs, this.path);
    if (reading.kind !== 'unsettled' && !(reading.kind === 'refused' && reading.reason === 'unreadable')) {
      return reading;
    }
    throw new AuthdError('storage', `${this.path} cannot be read at this moment`, {
      hint: 'make it readable for the user that runs the daemon',
    });
  }

  async #isLink(): Promise<boolean> {
    return this.#fs.readlink(this.path).then(
      () => true,
      () => false,
    );
  }

  async #isDirectory(path: string): Promise<boolean> {
    try {
      const { kind } = await this.#fs.stat(path);
      if (kind === 'directory') return true;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw this.#storage(`${path} cannot be looked at`, error);
    }
    throw new AuthdError('bad_request', `${path} is no directory`, { hint: 'name another directory' });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return withCodexLocks(this.#fs, this.path, this.path, this.#clock, work, 'refuse');
  }

  #refusal(what: string): AuthdError {
    return new AuthdError('bad_request', `${this.path} ${what}`, {
      hint: 'remove it, or publish into another directory',
    });
  }

  #storage(what: string, error: unknown): AuthdError {
    // The same trouble reads the same with each temporary file: it is told of when it changes.
    const why = describeError(error).replaceAll(/(\.codex-authd-)[0-9a-f]+/g, '$1…');
    return new AuthdError('storage', `${what}: ${why}`, {
      hint: `free space or make ${this.directory} writable; the daemon goes on trying`,
      cause: error,
    });
  }
}
