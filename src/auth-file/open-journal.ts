import type { FileSystem, OpenFile } from '../os/file-system.js';
import { writeAll } from './durable.js';
import { ANSWER_AT } from './journal-format.js';
import { isStillAt } from './still-at.js';

/** What becomes of an open journal is noted by the one that opened it. */
export interface JournalEnds {
  readonly onClosed: () => void;
  /** Removes it durably. */
  readonly remove: () => Promise<void>;
}

/** A journal with its intent written, ready for the answer. */
export class OpenJournal {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #ends: JournalEnds;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  #hasFailed = false;

  constructor(fs: FileSystem, path: string, file: OpenFile, ends: JournalEnds) {
    this.#fs = fs;
    this.#path = path;
    this.#file = file;
    this.#ends = ends;
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
   * @throws the file system's error, or that somebody has removed the file: the answer is in memory only then
   */
  async seal(): Promise<void> {
    if (this.#hasFailed) await writeAll(this.#file, Buffer.concat(this.#pieces), ANSWER_AT);
    await this.#file.sync();
    // Whoever took the lock meanwhile may have settled what this one was about to do.
    if (!(await isStillAt(this.#fs, this.#path, this.#file))) throw new Error('the journal has been removed');
  }

  /** Removes it, and no other of the same token: nothing was sent. @throws the file system's error */
  discard(): Promise<void> {
    return this.#ends.remove();
  }

  async close(): Promise<void> {
    this.#ends.onClosed();
    await this.#file.close();
  }
}
