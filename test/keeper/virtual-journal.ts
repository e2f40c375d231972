import type { Intent, JournalPort, OpenJournalPort, Unfinished } from '../../src/keeper/ports.js';

/** A journal that is in memory: the answers by the fingerprints of the tokens that were sent. */
export class VirtualJournal {
  isShared = false;
  readonly left = new Map<string, string>();
  /** The same of another daemon, which has sent the same tokens. */
  readonly others = new Map<string, string>();
  /** When the rotations began, by the same. */
  readonly startedAtMs = new Map<string, number>();
  /** So many are there that were never begun. */
  neverBegun = 0;
  sealFailure: Error | null = null;
  discardFailure: Error | null = null;
  closeFailure: Error | null = null;
  readFailure: Error | null = null;

  /** As one daemon sees it: what it has at work itself is not left. */
  ofOne(): JournalPort {
    const atWork = new Set<string>();
    const isShared = (): boolean => this.isShared;
    return {
      get isShared() {
        return isShared();
      },
      begin: (intent) => this.begin(intent, atWork),
      read: () => this.#read(atWork),
      sweep: () => {
        this.neverBegun = 0;
        return Promise.resolve();
      },
      clear: (spent) => this.clear(spent),
    };
  }

  begin({ spent, startedAtMs }: Intent, atWork = new Set<string>()): Promise<OpenJournalPort> {
    this.left.set(spent, '');
    atWork.add(spent);
    this.startedAtMs.set(spent, startedAtMs);
    return Promise.resolve({
      record: (bytes) => {
        this.left.set(spent, (this.left.get(spent) ?? '') + Buffer.from(bytes).toString());
      },
      seal: () => (this.sealFailure === null ? Promise.resolve() : Promise.reject(this.sealFailure)),
      discard: () => {
        if (this.discardFailure !== null) return Promise.reject(this.discardFailure);
        this.left.delete(spent);
        return Promise.resolve();
      },
      close: () => {
        atWork.delete(spent);
        return this.closeFailure === null ? Promise.resolve() : Promise.reject(this.closeFailure);
      },
    });
  }

  #read(atWork: ReadonlySet<string>): Promise<Unfinished[]> {
    if (this.readFailure !== null) return Promise.reject(this.readFailure);
    const found = [...this.left].filter(([spent]) => !atWork.has(spent));
    const left = [...found, ...this.others].map(([spent, answer]) => ({
      spent,
      answer,
      startedAtMs: this.startedAtMs.get(spent) ?? Infinity,
      isDurable: this.sealFailure === null,
      isOwn: true,
    }));
    return Promise.resolve(left);
  }

  clear(spent: string): Promise<void> {
    this.left.delete(spent);
    this.others.delete(spent);
    return Promise.resolve();
  }
}
