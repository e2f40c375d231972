import type { DeadToken } from '../core/account-record.js';
import { loginIn, type BaseUrls } from '../core/login.js';
import type { SettledReading } from '../core/reading.js';
import type { Clock } from '../os/clock.js';
import { isOurs, isRotation, isWanting, readAhead, type Harvest } from './harvest.js';
import { Ledger, type Writer } from './ledger.js';
import type { LogPort, RecordPort } from './ports.js';

export interface ContentsOptions {
  readonly account: string;
  readonly record: RecordPort;
  readonly clock: Clock;
  readonly log: LogPort;
  readonly baseUrls: () => BaseUrls;
  /** There is a new credential in the ledger, and `writer` is whose it is. */
  readonly onNew: (writer: Writer) => void;
}

/** What an account holds: the login in its file, and the tokens that are on their way there. */
export class Contents {
  readonly ledger: Ledger;
  readonly #options: ContentsOptions;
  /** The last tokens that the server handed out. */
  #harvest: Harvest | null = null;
  #pending: Harvest | null = null;
  #entries: Promise<void> = Promise.resolve();
  #stamp: string | null = null;

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.account, options.record, options.log);
  }

  /** The last tokens that the server handed out, as long as the file waits for them. */
  get pending(): Harvest | null {
    return this.#pending;
  }

  /** Of the last reading that was entered. */
  get stamp(): string | null {
    return this.#stamp;
  }

  /** Tokens have come. They are kept until others come, whatever happens to the file. */
  receive(harvest: Harvest): void {
    this.#harvest = harvest;
    this.#pending = harvest;
  }

  /** The tokens that came last are in the file, durably; the one that was spent for them must not be sent again. */
  async markStored(): Promise<Harvest | null> {
    const harvest = this.#harvest;
    if (harvest === null) return null;
    this.#harvest = { ...harvest, isStored: true };
    if (isRotation(harvest)) await this.burySpent(harvest.spent);
    return harvest;
  }

  burySpent(fingerprint: string): Promise<void> {
    const detail = 'auth.json holds a refresh token that was used before';
    const token: DeadToken = { fingerprint, reason: 'refresh_token_spent', detail };
    return this.ledger.bury(token);
  }

  /** Enters what was read, one reading after the other. Resolves when everyone has been told. */
  enter(reading: SettledReading, by: Writer): Promise<void> {
    const entered = this.#entries.then(() => this.#enterNow(reading, by));
    this.#entries = entered.catch(() => undefined);
    return entered;
  }

  async #enterNow(reading: SettledReading, by: Writer): Promise<void> {
    const { clock, onNew } = this.#options;
    const baseUrls = this.#options.baseUrls();
    const inFile = loginIn(reading, baseUrls);
    const harvest = this.#harvest;
    const pending = harvest !== null && isWanting(harvest, inFile) ? harvest : null;
    const ahead = pending === null ? null : readAhead(reading, pending, baseUrls, clock.now());
    const writer = ahead !== null || (harvest !== null && isOurs(harvest, inFile)) ? 'us' : by;
    const writtenAtMs = reading.kind === 'text' ? reading.modifiedAtMs : 0;
    const isNew = await this.ledger.enter(ahead ?? inFile, writer, writtenAtMs, clock.now());
    this.#stamp = reading.stamp;
    this.#pending = pending;
    if (isNew) onNew(writer);
  }
}
