import { join } from 'node:path';
import * as v from 'valibot';
import type { FileSystem } from '../os/file-system.js';
import { readText } from './read-text.js';
import { replaceFile } from './replace-file.js';

const LARGEST_BYTES = 64 * 1024;
const IncidentSchema = v.object({ schema: v.literal(1), told: v.string() });

/** The incident of an account that people were told of last, in the state directory: `<name>.told.json`, 0600. */
export class IncidentStore {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #path: string;

  constructor(fs: FileSystem, directory: string, name: string) {
    this.#fs = fs;
    this.#directory = directory;
    this.#path = join(directory, `${name}.told.json`);
  }

  /** Null if there was none, or it cannot be read. */
  async load(): Promise<string | null> {
    try {
      return v.parse(IncidentSchema, JSON.parse(await readText(this.#fs, this.#path, LARGEST_BYTES))).told;
    } catch {
      return null;
    }
  }

  async save(told: string): Promise<void> {
    await this.#fs.mkdir(this.#directory, 0o700);
    await replaceFile(this.#fs, this.#path, `${JSON.stringify({ schema: 1, told }, null, 2)}\n`);
  }
}
