import { join } from 'node:path';
import * as v from 'valibot';
import type { AccountRecord } from '../core/account-record.js';
import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { syncDirectory } from './durable.js';
import { readText } from './read-text.js';
import { replaceFile } from './replace-file.js';

const LARGEST_BYTES = 1024 * 1024;

const Fingerprint = v.nullable(v.string());
const Instant = v.nullable(v.number());

const RecordSchema = v.object({
  schema: v.literal(1),
  generation: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  digest: Fingerprint,
  obtainedAtMs: v.number(),
  rotatedFingerprint: Fingerprint,
  lastRotationAtMs: Instant,
  dead: v.array(
    v.object({
      fingerprint: v.string(),
      reason: v.picklist(['refresh_token_rejected', 'refresh_token_spent']),
      detail: v.string(),
      endpoint: v.exactOptional(v.string()),
    }),
  ),
  // Records of before 0.2 have none.
  doubted: v.optional(v.array(v.string()), []),
});

/** The record of one account, in the state directory: `<name>.json`, 0600. */
export class RecordStore {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #path: string;

  constructor(fs: FileSystem, directory: string, name: string) {
    this.#fs = fs;
    this.#directory = directory;
    this.#path = join(directory, `${name}.json`);
  }

  /** @throws if the file is there and cannot be read, or is none of ours */
  async load(): Promise<AccountRecord | null> {
    try {
      return v.parse(RecordSchema, JSON.parse(await readText(this.#fs, this.#path, LARGEST_BYTES)));
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** Makes durable what is there: who wrote it may have been killed before its name outlived a loss of power. */
  confirm(): Promise<void> {
    return syncDirectory(this.#fs, this.#directory);
  }

  async save(record: AccountRecord): Promise<void> {
    await this.#fs.mkdir(this.#directory, 0o700);
    await replaceFile(this.#fs, this.#path, `${JSON.stringify(record, null, 2)}\n`);
  }
}
