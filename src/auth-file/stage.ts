import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { createPrivate, syncDirectory, writeAll } from './durable.js';
import { adoptOwner } from './owner.js';
import { readAuthFile } from './read.js';

/** What is known of the file besides its place. */
export interface StageOptions {
  /** Does the work while no other writer that locks can write. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  /** Whether the file is still there: a link may have taken its place, or lead elsewhere. */
  readonly isInPlace?: () => Promise<boolean>;
}

/** Room for tokens that are longer than the ones before. */
const SPARE_BYTES = 16 * 1024;

/** A temporary file beside the real auth.json, with its space already taken, that can replace it once. */
export interface Stage {
  /**
   * Replaces the file durably: write, fsync, compare, rename, fsync of the directory.
   * Resolves to false, with nothing changed, if the file no longer reads `expected` (null: if there is one), or lies
   * elsewhere now.
   *
   * @throws the file system's error; the file is then whole, the old or the new one
   */
  commit(expected: string | null, replacement: string): Promise<boolean>;
  /** Makes durable what is in the directory now: for a file whose rename has happened, and was not synced. */
  confirm(): Promise<void>;
  /** Removes the temporary file if it was not used. */
  discard(): Promise<void>;
}

/**
 * Makes sure, before a refresh token is spent, that the answer can be stored: the temporary file exists and its
 * space is written and synced, so that a full, read-only or failing disk is found out now.
 *
 * @throws AuthdError `storage`
 */
export async function openStage(
  fs: FileSystem,
  realPath: string,
  size: number,
  options: StageOptions = { exclusively: (work) => work() },
): Promise<Stage> {
  const temporary = join(dirname(realPath), `${stagePrefix(realPath)}${randomBytes(6).toString('hex')}`);
  let file: OpenFile | null = null;
  try {
    file = await createPrivate(fs, temporary);
    await adoptOwner(fs, realPath, file);
    await writeAll(file, Buffer.alloc(size + SPARE_BYTES, ' '));
    await file.sync();
  } catch (error) {
    if (file !== null) await abandon(fs, temporary, file);
    throw new AuthdError('storage', `no new auth.json could be stored: ${describeError(error)}`, {
      hint: 'free space or make the directory of auth.json writable',
      cause: error,
    });
  }
  return new OpenStage(fs, realPath, temporary, file, options);
}

class OpenStage implements Stage {
  readonly #fs: FileSystem;
  readonly #realPath: string;
  readonly #temporary: string;
  readonly #options: StageOptions;
  #file: OpenFile | null;

  constructor(fs: FileSystem, realPath: string, temporary: string, file: OpenFile, options: StageOptions) {
    this.#fs = fs;
    this.#realPath = realPath;
    this.#temporary = temporary;
    this.#options = options;
    this.#file = file;
  }

  async commit(expected: string | null, replacement: string): Promise<boolean> {
    const file = this.#file;
    if (file === null) throw new Error('this stage has been used');
    const bytes = Buffer.from(replacement, 'utf8');
    await writeAll(file, bytes);
    await file.truncate(bytes.length);
    await file.sync();

    const isReplaced = await this.#options.exclusively(() => this.#compareAndSwap(expected));
    if (!isReplaced) return false;
    this.#file = null;
    await file.close();
    await syncDirectory(this.#fs, dirname(this.#realPath));
    return true;
  }

  confirm(): Promise<void> {
    return syncDirectory(this.#fs, dirname(this.#realPath));
  }

  async #compareAndSwap(expected: string | null): Promise<boolean> {
    const { isInPlace } = this.#options;
    if (isInPlace !== undefined && !(await isInPlace())) return false;
    const current = await readAuthFile(this.#fs, this.#realPath);
    const isExpected = current.kind === 'text' ? current.text === expected : expected === null;
    if (!isExpected || (current.kind !== 'text' && current.kind !== 'absent')) return false;
    await this.#fs.rename(this.#temporary, this.#realPath);
    return true;
  }

  async discard(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (file !== null) await abandon(this.#fs, this.#temporary, file);
  }
}

/**
 * Removes temporary files that a killed daemon left beside the real file, as long as the lock for it is held: whoever has
 * stood still and lost it may meet one that is being used. Resolves to how many.
 */
export async function removeLeftovers(
  fs: FileSystem,
  realPath: string,
  isLockHeld: () => boolean = () => true,
): Promise<number> {
  const directory = dirname(realPath);
  let count = 0;
  for (const name of await fs.readdir(directory)) {
    if (!name.startsWith(stagePrefix(realPath)) || !isLockHeld()) continue;
    await removeLeftover(fs, join(directory, name));
    count += 1;
  }
  return count;
}

/** Where others may write, one may go by itself, and a directory of such a name is none. */
async function removeLeftover(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (!['ENOENT', 'EISDIR'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}

function stagePrefix(realPath: string): string {
  return `.${basename(realPath)}.codex-authd-`;
}

async function abandon(fs: FileSystem, path: string, file: OpenFile): Promise<void> {
  await file.close().catch(() => undefined);
  await fs.unlink(path).catch(() => undefined);
}
