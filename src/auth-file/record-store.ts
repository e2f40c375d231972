import { join } from 'node:path';
import * as v from 'valibot';
import { mergeRecords, type AccountRecord } from '../core/account-record.js';
import { AuthdError, systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { syncDirectory } from './durable.js';
import { namesIn } from './names-in.js';
import { unknownVersion } from './unknown-version.js';
import { readText } from './read-text.js';
import { replaceFile } from './replace-file.js';

const LARGEST_BYTES = 1024 * 1024;

/** See `stateName`. */
const PATH_DIGEST = /-[0-9a-f]{12}\.json$/;

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

/** Whether a file of another home will tell us nothing, however often it is asked: it is another user's, or no file. */
function tellsNothing(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EISDIR'].includes(systemErrorCode(error) ?? '');
}

/** What a version after this one may write. */
const LaterRecord = v.object({ schema: v.pipe(v.number(), v.gtValue(1)) });

/**
 * The record of one account, in the state directory: `<name>.json`, 0600. An account that was renamed has one under its old
 * name, which tells of the same auth.json: it counts as well, until it is saved under the new one.
 */
export class RecordStore {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #file: string;
  /** What the names of all records of this auth.json end with; null if the name does not say which that is. */
  readonly #suffix: string | null;
  /** What those under other names said when they were read. */
  readonly #renamed = new Map<string, string>();

  constructor(fs: FileSystem, directory: string, name: string) {
    this.#fs = fs;
    this.#directory = directory;
    this.#file = `${name}.json`;
    this.#suffix = PATH_DIGEST.exec(this.#file)?.[0] ?? null;
  }

  /**
   * @throws if the file is there and cannot be read, or is none of ours; AuthdError `storage` if it is of a version that is not known
   */
  async load(): Promise<AccountRecord | null> {
    let record = await this.#loadOne(this.#file);
    for (const file of await this.#listRenamed()) {
      const older = await this.#loadSound(file);
      if (older === null) continue;
      record = record === null ? older : mergeRecords(older, record);
      this.#renamed.set(file, JSON.stringify(older));
    }
    return record;
  }

  /**
   * The records of other auth.json files: of copies of this one, and of itself by another path.
   *
   * @throws what the disk says of one that may tell something, if it does not give it now
   */
  async loadOthers(): Promise<AccountRecord[]> {
    const others: AccountRecord[] = [];
    for (const file of await namesIn(this.#fs, this.#directory)) {
      if (file === this.#file || !PATH_DIGEST.test(file)) continue;
      const other = await this.#loadSound(file).catch((error: unknown) => {
        if (tellsNothing(error)) return null;
        throw error;
      });
      if (other !== null) others.push(other);
    }
    return others;
  }

  /** Makes durable what is there: who wrote it may have been killed before its name outlived a loss of power. */
  confirm(): Promise<void> {
    return syncDirectory(this.#fs, this.#directory);
  }

  async save(record: AccountRecord): Promise<void> {
    await this.#fs.mkdir(this.#directory, 0o700);
    await replaceFile(this.#fs, this.#pathOf(this.#file), `${JSON.stringify(record, null, 2)}\n`);
    for (const [file, merged] of this.#renamed) await this.#removeMerged(file, merged).catch(() => undefined);
    this.#renamed.clear();
  }

  /** Where another machine has another auth.json at the same path, somebody may write it still. */
  async #removeMerged(file: string, merged: string): Promise<void> {
    if (JSON.stringify(await this.#loadOne(file)) === merged) await this.#fs.unlink(this.#pathOf(file));
  }

  async #loadOne(file: string): Promise<AccountRecord | null> {
    const path = this.#pathOf(file);
    try {
      const document: unknown = JSON.parse(await readText(this.#fs, path, LARGEST_BYTES));
      if (v.is(LaterRecord, document)) throw unknownVersion(path);
      return v.parse(RecordSchema, document);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** One that is damaged tells nothing; one that cannot be read may tell of tokens that must not be sent. */
  async #loadSound(file: string): Promise<AccountRecord | null> {
    try {
      return await this.#loadOne(file);
    } catch (error) {
      if (systemErrorCode(error) !== undefined || error instanceof AuthdError) throw error;
      return null;
    }
  }

  async #listRenamed(): Promise<string[]> {
    const suffix = this.#suffix;
    if (suffix === null) return [];
    return (await namesIn(this.#fs, this.#directory)).filter(
      (file) => file !== this.#file && file.endsWith(suffix),
    );
  }

  #pathOf(file: string): string {
    return join(this.#directory, file);
  }
}
