import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** What a daemon before this one left: the intent, and all that had come of the answer. */
export interface Unfinished {
  readonly intent: Intent;
  /** The bytes of the answer's body as text; empty if none came. */
  readonly answer: string;
}

/** The intent has the first block for itself; the answer's room begins behind it. */
const ANSWER_AT = 4096;
/** The largest answer that is taken from the token endpoint has its room. */
const ANSWER_ROOM = 1024 * 1024;

const IntentSchema = v.object({ spent: v.string(), startedAtMs: v.number() });

/**
 * The journal of one account: `<name>.journal` in the state directory, 0600, there only during a rotation and as
 * long after it as its outcome is not in auth.json.
 */
export class Journal {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, directory: string, name: string) {
    this.#fs = fs;
    this.#path = join(directory, `${name}.journal`);
  }

  /**
   * Writes the intent down durably, with the space for the whole answer behind it: what is recorded later needs no
   * allocation, and cannot meet a full disk.
   *
   * @throws the file system's error; nothing is left behind then
   */
  async begin(intent: Intent): Promise<OpenJournal> {
    await this.#fs.mkdir(dirname(this.#path), 0o700);
    await this.clear();
    const file = await createPrivate(this.#fs, this.#path);
    try {
      const head = Buffer.alloc(ANSWER_AT, ' ');
      head.write(JSON.stringify(intent));
      await writeAll(file, Buffer.concat([head, Buffer.alloc(ANSWER_ROOM)]));
      await file.sync();
      await syncDirectory(this.#fs, dirname(this.#path));
      return new OpenJournal(file);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.clear().catch(() => undefined);
      throw error;
    }
  }

  /** What a daemon before this one left; null if it left nothing, or was killed before it had sent anything. */
  async read(): Promise<Unfinished | null> {
    let file: OpenFile;
    try {
      file = await this.#fs.open(this.#path, constants.O_RDONLY);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
    try {
      const bytes = new Uint8Array(ANSWER_AT + ANSWER_ROOM);
      let length = 0;
      for (let count = -1; count !== 0; length += count)
        count = await file.read(bytes.subarray(length), length);
      return understand(bytes.subarray(0, length));
    } finally {
      await file.close();
    }
  }

  /** Removes the journal durably, if there is one. */
  async clear(): Promise<void> {
    try {
      await this.#fs.unlink(this.#path);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    await syncDirectory(this.#fs, dirname(this.#path));
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

/** A head that cannot be read was never synced: nothing had been sent when its writer died. */
function understand(bytes: Uint8Array): Unfinished | null {
  const text = new TextDecoder().decode(bytes);
  const parsed = v.safeParse(IntentSchema, parse(text.slice(0, ANSWER_AT)));
  if (!parsed.success) return null;
  const answer = text.slice(ANSWER_AT);
  const end = answer.indexOf('\0');
  return { intent: parsed.output, answer: end === -1 ? answer : answer.slice(0, end) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
