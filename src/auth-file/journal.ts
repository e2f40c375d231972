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
  /** What had come of the answer's body, as text; empty if nothing, or if it cannot be read. */
  readonly answer: string;
}

/** The intent has the first block for itself; the answer's room begins behind it. */
const ANSWER_AT = 4096;
/** The largest answer that is taken from the token endpoint has its room. */
const ANSWER_ROOM = 1024 * 1024;

const SUFFIX = '.journal';

const IntentSchema = v.object({ spent: v.string(), startedAtMs: v.number() });

/**
 * The journal of one account: `<name>.<fingerprint>.journal` in the state directory, 0600, one for each refresh token
 * that was sent, there only during a rotation and as long after it as its outcome is not settled.
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
      await writeAll(file, Buffer.concat([head, Buffer.alloc(ANSWER_ROOM)]));
      await file.sync();
      await syncDirectory(this.#fs, this.#directory);
      return new OpenJournal(file);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.clear(intent.spent).catch(() => undefined);
      throw error;
    }
  }

  /** What daemons before this one left. What they had not begun to send is removed. */
  async read(): Promise<Unfinished[]> {
    const left: Unfinished[] = [];
    for (const spent of await this.#list()) {
      const found = await this.#readOne(spent);
      if (found !== null) left.push(found);
      else await this.clear(spent).catch(() => undefined);
    }
    return left;
  }

  /** Removes durably what is written of the rotation that spent this token, if anything is. */
  async clear(spent: string): Promise<void> {
    try {
      await this.#fs.unlink(this.#pathOf(spent));
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    await syncDirectory(this.#fs, this.#directory);
  }

  /** A journal that cannot be read is taken for one without an answer: its token may have been sent. */
  async #readOne(spent: string): Promise<Unfinished | null> {
    try {
      const file = await this.#fs.open(this.#pathOf(spent), constants.O_RDONLY);
      try {
        return understand(spent, await readAll(file));
      } finally {
        await file.close();
      }
    } catch {
      return { spent, answer: '' };
    }
  }

  async #list(): Promise<string[]> {
    try {
      const names = await this.#fs.readdir(this.#directory);
      const mine = names.filter((name) => name.startsWith(`${this.#name}.`) && name.endsWith(SUFFIX));
      return mine.map((name) => name.slice(this.#name.length + 1, -SUFFIX.length));
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #pathOf(spent: string): string {
    return join(this.#directory, `${this.#name}.${spent}${SUFFIX}`);
  }
}

/** A journal with its intent written, ready for the answer. */
export class OpenJournal {
  readonly #file: OpenFile;
  #length = 0;
  #failure: Error | null = null;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Takes the next bytes of the answer: one system call, and no way to throw. */
  record(bytes: Uint8Array): void {
    try {
      const count = this.#file.writeNow(bytes, ANSWER_AT + this.#length);
      if (count !== bytes.length) throw new Error('the file system took only a part of the answer');
      this.#length += count;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }

  /**
   * Makes the answer outlive a loss of power.
   *
   * @throws the file system's error, also one that `record` met: the answer is in memory only then
   */
  async seal(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function readAll(file: OpenFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(ANSWER_AT + ANSWER_ROOM);
  let length = 0;
  for (let count = -1; count !== 0; length += count) count = await file.read(bytes.subarray(length), length);
  return bytes.subarray(0, length);
}

/** A head that is not whole was never synced: nothing had been sent when its writer died. */
function understand(spent: string, bytes: Uint8Array): Unfinished | null {
  const text = new TextDecoder().decode(bytes);
  if (!v.is(IntentSchema, parse(text.slice(0, ANSWER_AT)))) return null;
  const answer = text.slice(ANSWER_AT);
  const end = answer.indexOf('\0');
  return { spent, answer: end === -1 ? answer : answer.slice(0, end) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
