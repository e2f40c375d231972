import { constants } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { createPrivate, syncDirectory, writeAll } from './durable.js';

/** What is about to be done: written before a refresh token is sent. */
export interface Intent {
  /** Of the refresh token that is spent. */
  readonly spent: string;
  readonly startedAtMs: number;
}

/** What a daemon before this one left. */
export interface Unfinished {
  /** The fingerprint of the refresh token that it had sent, or was about to send. */
  readonly spent: string;
  /** What had come of the answer's body, as text; empty if nothing. */
  readonly answer: string;
  /** Whether that outlives a loss of power: who wrote it may have been killed before it was synced. */
  readonly isDurable: boolean;
  /** False if it was written for another home, which may lead to the same file by a link. */
  readonly isOwn: boolean;
  /** When that was, in milliseconds since the epoch. */
  readonly startedAtMs: number;
}

/** The intent has the first block for itself; the answer's room begins behind it. */
const ANSWER_AT = 4096;
/** The largest answer that is taken from the token endpoint has its room. */
const ANSWER_ROOM = 1024 * 1024;
const EMPTY_ROOM = new Uint8Array(ANSWER_ROOM);
/** An answer has 4 to 8 kB: one piece is enough to read it. */
const PIECE_BYTES = 16 * 1024;

const NAME = /^.+\.(?<spent>[0-9a-f]{12})\.journal$/;

interface JournalFile {
  readonly path: string;
  readonly spent: string;
  readonly isOwn: boolean;
}

const IntentSchema = v.object({ spent: v.string(), startedAtMs: v.number() });

/**
 * The journal of one account: `<name>.<fingerprint>.journal` in the state directory, 0600, one for each refresh token
 * that was sent, there only during a rotation and as long after it as its outcome is not settled. What was written under
 * another name counts as well: the fingerprint says which login it is for, by whatever path that was reached.
 */
export class Journal {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #name: string;

  constructor(fs: FileSystem, directory: string, name: string) {
    this.#fs = fs;
    this.#directory = directory;
    this.#name = name;
  }

  /**
   * Writes the intent down durably, with the space for the whole answer behind it: what is recorded later needs no
   * allocation, and cannot meet a full disk.
   *
   * @throws the file system's error; nothing is left behind then
   */
  async begin(intent: Intent): Promise<OpenJournal> {
    await this.#fs.mkdir(this.#directory, 0o700);
    await this.clear(intent.spent);
    const file = await createPrivate(this.#fs, this.#pathOf(intent.spent));
    try {
      const head = Buffer.alloc(ANSWER_AT, ' ');
      head.write(JSON.stringify(intent));
      await writeAll(file, head);
      await writeAll(file, EMPTY_ROOM, ANSWER_AT);
      await file.sync();
      await syncDirectory(this.#fs, this.#directory);
      return new OpenJournal(file);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.clear(intent.spent).catch(() => undefined);
      throw error;
    }
  }

  /**
   * What daemons before this one left, but for what they had not begun to send.
   *
   * @throws the file system's error: what cannot be read may hold the only copy of a login
   */
  async read(): Promise<Unfinished[]> {
    const left: Unfinished[] = [];
    for (const file of await this.#list()) {
      const found = await this.#readOne(file);
      if (found !== null) left.push(found);
    }
    return left;
  }

  /** Removes our own that were never begun: their daemon was killed before it could send. Only under the account's lock. */
  async sweep(): Promise<void> {
    for (const file of await this.#list()) {
      if (file.isOwn && (await this.#readOne(file)) === null) await this.#fs.unlink(file.path);
    }
  }

  /** Removes durably what is written of the rotation that spent this token, if anything is. */
  async clear(spent: string): Promise<void> {
    const files = (await this.#list()).filter((file) => file.spent === spent);
    for (const { path } of files) {
      await this.#fs.unlink(path).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
      });
    }
    if (files.length > 0) await syncDirectory(this.#fs, this.#directory);
  }

  /** Null if nothing had been sent, or if it has just been removed. */
  async #readOne({ path, spent, isOwn }: JournalFile): Promise<Unfinished | null> {
    try {
      const file = await this.#fs.open(path, constants.O_RDONLY);
      try {
        const found = await understand(file);
        return found === null ? null : { ...found, spent, isOwn };
      } finally {
        await file.close();
      }
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  async #list(): Promise<JournalFile[]> {
    const names = await this.#fs.readdir(this.#directory).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw error;
    });
    return names.flatMap((name) => {
      const spent = NAME.exec(name)?.groups?.['spent'];
      if (spent === undefined) return [];
      return [{ path: join(this.#directory, name), spent, isOwn: name.startsWith(`${this.#name}.`) }];
    });
  }

  #pathOf(spent: string): string {
    return join(this.#directory, `${this.#name}.${spent}.journal`);
  }
}

/** A journal with its intent written, ready for the answer. */
export class OpenJournal {
  readonly #file: OpenFile;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  #hasFailed = false;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Takes the next bytes of the answer: one system call, and no way to throw. */
  record(bytes: Uint8Array): void {
    try {
      const count = this.#file.writeNow(bytes, ANSWER_AT + this.#length);
      if (count !== bytes.length) this.#hasFailed = true;
    } catch {
      this.#hasFailed = true;
    }
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /**
   * Makes the answer outlive a loss of power. What could not be recorded when it came is tried once more.
   *
   * @throws the file system's error: the answer is in memory only then
   */
  async seal(): Promise<void> {
    if (this.#hasFailed) await writeAll(this.#file, Buffer.concat(this.#pieces), ANSWER_AT);
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A head that is not whole was never synced: nothing had been sent when its writer died. */
async function understand(file: OpenFile): Promise<Omit<Unfinished, 'spent' | 'isOwn'> | null> {
  const head = new TextDecoder().decode(await readPiece(file, 0, ANSWER_AT));
  const intent = v.safeParse(IntentSchema, parse(head));
  if (!intent.success) return null;
  const answer = await readAnswer(file);
  const isDurable = await file.sync().then(
    () => true,
    () => false,
  );
  return { answer, startedAtMs: intent.output.startedAtMs, isDurable };
}

/** What was recorded: all that stands before the first zero byte, which no JSON contains. */
async function readAnswer(file: OpenFile): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let at = ANSWER_AT; at < ANSWER_AT + ANSWER_ROOM; at += PIECE_BYTES) {
    const piece = await readPiece(file, at, PIECE_BYTES);
    const end = piece.indexOf(0);
    pieces.push(end === -1 ? piece : piece.subarray(0, end));
    if (end !== -1 || piece.length < PIECE_BYTES) break;
  }
  return new TextDecoder().decode(Buffer.concat(pieces));
}

async function readPiece(file: OpenFile, position: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let count = -1; count !== 0 && length < size; length += count) {
    count = await file.read(bytes.subarray(length), position + length);
  }
  return bytes.subarray(0, length);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
