import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import type { Clock } from '../os/clock.js';
import { Abandoned } from './abandoned.js';
import { createPrivate, syncDirectory } from './durable.js';
import { readWritten, writeIntent, type Intent, type Written } from './journal-format.js';
import { namesIn } from './names-in.js';
import { OpenJournal } from './open-journal.js';

/** What a daemon before this one left. */
export interface Unfinished extends Written {
  /** The fingerprint of the refresh token that it had sent, or was about to send. */
  readonly spent: string;
  /**
   * False if it was written for another home, which may lead to the same file by a link. True also if that was an account
   * that nobody keeps any more.
   */
  readonly isOwn: boolean;
}

const NAME = /^.+\.(?<spent>[0-9a-f]{12})\.journal$/;

interface JournalFile {
  readonly path: string;
  readonly spent: string;
  readonly isOwn: boolean;
}

/**
 * The journal of one account: `<name>.<random>.<fingerprint>.journal` in the state directory, 0600, one for each refresh
 * token that was sent, there only during a rotation and as long after it as its outcome is not settled. What was written
 * under another name counts as well: the fingerprint says which login it is for, by whatever path that was reached.
 *
 * No two have the same file. A daemon that has lost the lock and does not know it removes what it began itself, or has
 * read; never what the winner has begun for the same token.
 */
export class Journal {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #name: string;
  /** The tokens of those that were begun or read here, by path: what others have begun since is not ours to remove. */
  readonly #known = new Map<string, string>();
  /** The paths of those that were begun here. */
  readonly #begun = new Set<string>();
  /** Of those, the ones that are at work: nobody has left them. */
  readonly #atWork = new Set<string>();
  /** What has nothing to tell any more, and could not be removed yet. */
  readonly #settled = new Set<string>();
  readonly #abandoned: Abandoned;
  readonly #isLockHeld: () => boolean;

  constructor(
    fs: FileSystem,
    directory: string,
    name: string,
    clock: Clock,
    isLockHeld: () => boolean = () => true,
  ) {
    this.#fs = fs;
    this.#directory = directory;
    this.#name = name;
    this.#abandoned = new Abandoned(clock);
    this.#isLockHeld = isLockHeld;
  }

  /**
   * Writes the intent down durably, with the space for the whole answer behind it: what is recorded later needs no
   * allocation, and cannot meet a full disk. What somebody else has begun with the same token stays: his answer may come
   * yet.
   *
   * @throws the file system's error; nothing is left behind then
   */
  async begin(intent: Intent): Promise<OpenJournal> {
    await this.#fs.mkdir(this.#directory, 0o700);
    // One that could neither be begun nor removed would stay for ever.
    await this.sweep().catch(() => undefined);
    const older = this.#pathsOf(intent.spent).filter((each) => this.#begun.has(each));
    const path = this.#newPath(intent.spent);
    const file = await this.#create(path, intent);
    // Until now they were what tells that this token may have been sent before.
    await this.#remove(older).catch(() => undefined);
    return new OpenJournal(this.#fs, path, file, {
      onClosed: () => this.#atWork.delete(path),
      remove: () => this.#remove([path]),
    });
  }

  /**
   * What was left: by daemons before this one, but for what they had not begun to send, and by this one, but for what is at
   * work or settled; what is settled and still there is removed, if it can be by now.
   *
   * @throws the file system's error: what is our own and cannot be read may hold the only copy of a login
   */
  async read(): Promise<Unfinished[]> {
    const left: Unfinished[] = [];
    await this.#removeSettled();
    for (const file of await this.#list()) {
      if (this.#atWork.has(file.path) || this.#settled.has(file.path)) continue;
      const found = await this.#readOne(file).catch((error: unknown) => {
        // Of another account most likely, which is not to stand still for it.
        if (!file.isOwn) return null;
        throw error;
      });
      if (found === null) continue;
      this.#known.set(file.path, file.spent);
      left.push(found);
    }
    return left;
  }

  /** Removes our own that were never begun, as long as the account's lock is held. */
  async sweep(): Promise<void> {
    await this.#removeSettled();
    for (const file of await this.#list()) {
      if (!file.isOwn || this.#atWork.has(file.path)) continue;
      if ((await this.#readOne(file)) !== null || !this.#isLockHeld()) continue;
      await this.#fs.unlink(file.path);
    }
  }

  /** Removes durably what was begun or read here of the rotation that spent this token. */
  async clear(spent: string): Promise<void> {
    await this.#remove(this.#pathsOf(spent));
  }

  async #create(path: string, intent: Intent): Promise<OpenFile> {
    let file: OpenFile | null = null;
    // Before it is there: it is empty at first, as those are that were never begun.
    this.#atWork.add(path);
    try {
      file = await createPrivate(this.#fs, path);
      this.#known.set(path, intent.spent);
      this.#begun.add(path);
      await writeIntent(file, intent);
      await syncDirectory(this.#fs, this.#directory);
      return file;
    } catch (error) {
      this.#atWork.delete(path);
      await file?.close().catch(() => undefined);
      if (file !== null) await this.#remove([path]).catch(() => undefined);
      throw error;
    }
  }

  #pathsOf(spent: string): string[] {
    return [...this.#known].flatMap(([path, of]) => (of === spent ? [path] : []));
  }

  async #remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#settled.add(path);
    for (const path of paths) {
      await this.#fs.unlink(path).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
      });
    }
    if (paths.length > 0) await syncDirectory(this.#fs, this.#directory);
    for (const path of paths) {
      this.#known.delete(path);
      this.#begun.delete(path);
      this.#settled.delete(path);
    }
  }

  /** The disk may take back what it refused; of one file, not of another. */
  async #removeSettled(): Promise<void> {
    for (const path of [...this.#settled]) await this.#remove([path]).catch(() => undefined);
  }

  /** Null if nothing had been sent, or if it has just been removed. */
  async #readOne({ path, spent, isOwn }: JournalFile): Promise<Unfinished | null> {
    try {
      const { file, isWritable } = await this.#open(path, isOwn);
      try {
        const found = await readWritten(file, path, isWritable);
        if (found === null) return null;
        const { modifiedAtMs, size } = await file.stat();
        if (isOwn && this.#abandoned.isDue(modifiedAtMs))
          await this.#renew(path, size).catch(() => undefined);
        return { ...found, spent, isOwn: isOwn || this.#abandoned.has(path, modifiedAtMs) };
      } finally {
        // What was read has been read, whatever closing it says.
        await file.close().catch(() => undefined);
      }
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** Another account's is not written: when it was written last tells whether that account is kept. */
  async #open(path: string, isOwn: boolean): Promise<{ file: OpenFile; isWritable: boolean }> {
    if (isOwn) {
      const file = await this.#fs.open(path, constants.O_RDWR).catch(() => null);
      if (file !== null) return { file, isWritable: true };
    }
    return { file: await this.#fs.open(path, constants.O_RDONLY), isWritable: false };
  }

  /** Says to those who read it under other names that its account is kept. What is in it is not touched. */
  async #renew(path: string, size: number): Promise<void> {
    const file = await this.#fs.open(path, constants.O_RDWR);
    try {
      await file.truncate(size);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #list(): Promise<JournalFile[]> {
    const names = await namesIn(this.#fs, this.#directory);
    return names.flatMap((name) => {
      const spent = NAME.exec(name)?.groups?.['spent'];
      if (spent === undefined) return [];
      return [{ path: join(this.#directory, name), spent, isOwn: name.startsWith(`${this.#name}.`) }];
    });
  }

  #newPath(spent: string): string {
    const random = randomBytes(4).toString('hex');
    return join(this.#directory, `${this.#name}.${random}.${spent}.journal`);
  }
}
