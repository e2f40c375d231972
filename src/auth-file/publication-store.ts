import { join } from 'node:path';
import * as v from 'valibot';
import type { PublicationRecord } from '../core/publication.js';
import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { syncDirectory } from './durable.js';
import { readText } from './read-text.js';
import { removeDraft, replaceFile } from './replace-file.js';

/** Above what the most directories with the longest names come to. */
const LARGEST_BYTES = 8 * 1024 * 1024;

const Schema = v.object({
  schema: v.literal(1),
  publications: v.array(
    v.object({
      directory: v.pipe(v.string(), v.startsWith('/')),
      source: v.picklist(['request', 'config']),
      accountIds: v.array(v.string()),
    }),
  ),
});

/** Where one account is published, in the state directory: `<name>.published.json`, 0600, absent if nowhere. */
export class PublicationStore {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #path: string;

  constructor(fs: FileSystem, directory: string, name: string) {
    this.#fs = fs;
    this.#directory = directory;
    this.#path = join(directory, `${name}.published.json`);
  }

  /** @throws if the file is there and cannot be read, or is none of ours */
  async load(): Promise<readonly PublicationRecord[]> {
    try {
      return v.parse(Schema, JSON.parse(await readText(this.#fs, this.#path, LARGEST_BYTES))).publications;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Durably. */
  async save(publications: readonly PublicationRecord[]): Promise<void> {
    if (publications.length === 0) {
      await this.#remove();
      return;
    }
    await this.#fs.mkdir(this.#directory, 0o700);
    await replaceFile(this.#fs, this.#path, `${JSON.stringify({ schema: 1, publications }, null, 2)}\n`);
  }

  /** Removes what a daemon left that was killed while it saved. Only under the account's lock. */
  async sweep(): Promise<void> {
    await removeDraft(this.#fs, this.#path);
  }

  async #remove(): Promise<void> {
    try {
      await this.#fs.unlink(this.#path);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    await syncDirectory(this.#fs, this.#directory);
  }
}
