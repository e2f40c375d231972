import { systemErrorCode } from '../errors.js';
import type { Clock } from '../os/clock.js';
import type { Intent } from './journal-format.js';
import type { Journal, Unfinished } from './journal.js';
import type { OpenJournal } from './open-journal.js';

/** One that somebody has closed by mistake is opened again sooner. */
const CLOSED_FOR_GOOD_MS = 3600 * 1000;

/**
 * The journals of an account, wherever they are: in the state directory of this daemon, where it writes its own, and in
 * those of daemons that kept the same auth.json with a state directory of their own and were killed.
 */
export class Journals {
  readonly #own: Journal;
  readonly #others: () => readonly Journal[];
  readonly #clock: Clock;
  /** The directories that we may not read, and since when. */
  readonly #closedSinceMs = new Map<Journal, number>();

  /** `others` gives the same object for the same directory each time. */
  constructor(own: Journal, others: () => readonly Journal[], clock: Clock) {
    this.#own = own;
    this.#others = others;
    this.#clock = clock;
  }

  /** Whether daemons with other state directories may come: they read these journals, but not our record. */
  get isShared(): boolean {
    return this.#others().length > 0;
  }

  /** @throws the file system's error; nothing is left behind then */
  begin(intent: Intent): Promise<OpenJournal> {
    return this.#own.begin(intent);
  }

  /**
   * What daemons before this one left. A directory that is gone tells nothing, nor does one that has been closed to us for
   * an hour: it is another user's.
   *
   * @throws the file system's error: what is there and cannot be read may hold the only copy of a login
   */
  async read(): Promise<Unfinished[]> {
    const left = await this.#own.read();
    for (const journal of this.#others()) left.push(...(await this.#readOther(journal)));
    return left;
  }

  /** Removes those of this daemon's own directory that were never begun. */
  sweep(): Promise<void> {
    return this.#own.sweep();
  }

  /** Removes durably what was begun or read here of the rotation that spent this token. */
  async clear(spent: string): Promise<void> {
    for (const journal of this.#others()) await journal.clear(spent).catch(() => undefined);
    await this.#own.clear(spent);
  }

  async #readOther(journal: Journal): Promise<Unfinished[]> {
    try {
      const left = await journal.read();
      this.#closedSinceMs.delete(journal);
      return left;
    } catch (error) {
      if (this.#isOutOfReach(journal, error)) return [];
      throw error;
    }
  }

  #isOutOfReach(journal: Journal, error: unknown): boolean {
    const code = systemErrorCode(error) ?? '';
    if (code === 'ENOTDIR') return true;
    if (code !== 'EACCES' && code !== 'EPERM') return false;
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#closedSinceMs.get(journal) ?? nowMs;
    this.#closedSinceMs.set(journal, sinceMs);
    return nowMs - sinceMs >= CLOSED_FOR_GOOD_MS;
  }
}
