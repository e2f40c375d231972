import type { Intent } from './journal-format.js';
import type { Journal, Unfinished } from './journal.js';
import type { OpenJournal } from './open-journal.js';

/**
 * The journals of an account, wherever they are: in the state directory of this daemon, where it writes its own, and in
 * those of daemons that kept the same auth.json with a state directory of their own and were killed.
 */
export class Journals {
  readonly #own: Journal;
  readonly #others: () => readonly Journal[];

  constructor(own: Journal, others: () => readonly Journal[]) {
    this.#own = own;
    this.#others = others;
  }

  /** Whether daemons with other state directories may come: they read these journals, but not our record. */
  get isShared(): boolean {
    return this.#others().length > 0;
  }

  /** @throws the file system's error; nothing is left behind then */
  begin(intent: Intent): Promise<OpenJournal> {
    return this.#own.begin(intent);
  }

  /** What daemons before this one left. A directory that cannot be read any more tells nothing. */
  async read(): Promise<Unfinished[]> {
    const left = await this.#own.read();
    for (const journal of this.#others()) left.push(...(await journal.read().catch(() => [])));
    // Where one daemon had begun anew with a token, another one's answer may have come after all.
    const answered = new Set(left.flatMap(({ spent, answer }) => (answer === '' ? [] : [spent])));
    return left.filter(({ spent, answer }) => answer !== '' || !answered.has(spent));
  }

  /** Removes durably what was begun or read here of the rotation that spent this token. */
  async clear(spent: string): Promise<void> {
    for (const journal of this.#others()) await journal.clear(spent).catch(() => undefined);
    await this.#own.clear(spent);
  }
}
