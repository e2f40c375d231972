import type { DeadToken } from '../core/account-record.js';
import { REASONS } from '../core/reasons.js';
import type { BaseUrls } from '../core/base-urls.js';
import { loginIn, type Login } from '../core/login.js';
import type { SettledReading } from '../core/reading.js';
import { Turns } from '../core/turns.js';
import { hasSpent, isOurs, readAhead, type Harvest } from './harvest.js';
import { Harvests } from './harvests.js';
import { Ledger, type Entry, type Writer } from './ledger.js';
import type { HoldingsPort, LogPort, RecordPort } from './ports.js';
import type { ServerTime } from './server-time.js';

export interface ContentsOptions {
  readonly account: string;
  readonly record: RecordPort;
  readonly time: ServerTime;
  readonly log: LogPort;
  readonly holdings: HoldingsPort;
  readonly baseUrls: () => BaseUrls;
  /** There is another credential in the ledger, and `writer` is whose it is. */
  readonly onEntry: (entry: Exclude<Entry, 'same'>, writer: Writer) => void;
}

/** What an account holds: the login in its file, and the tokens that are on their way there. */
export class Contents {
  readonly ledger: Ledger;
  readonly #options: ContentsOptions;
  readonly #harvests = new Harvests();
  readonly #entries = new Turns();
  #inFile: Login | null = null;
  /** What was last entered of a file that could be read. */
  #known: Login | null = null;
  #stamp: string | null = null;

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.account, options.record, options.log);
  }

  /** The tokens that the file waits for; null if it waits for none. */
  get pending(): Harvest | null {
    return this.#inFile === null ? null : this.#harvests.wantedBy(this.#inFile);
  }

  /**
   * Whether there are tokens in memory only that the file waits for, or may wait for: of one that nobody can read at this
   * moment it is not known.
   */
  get isUnsaved(): boolean {
    if (this.pending !== null) return !this.pending.isDurable;
    return this.isBlind && this.#harvests.isUnsaved;
  }

  /** Whether there is a file that nobody can read at this moment: what it waits for is not known. */
  get isBlind(): boolean {
    const { login } = this.ledger;
    return login.kind === 'none' && REASONS[login.reason].state === 'corrupt';
  }

  /** Of the last reading that was entered. */
  get stamp(): string | null {
    return this.#stamp;
  }

  /** Whether it is known what the server answered to this refresh token. */
  hasAnswer(spent: string): boolean {
    return this.#harvests.has(spent);
  }

  /** Whether a new refresh token has come for this one that is in no file yet. */
  hasSuccessor(spent: string): boolean {
    return this.#harvests.hasUnstored(spent);
  }

  /** Tokens have come. They are kept, whatever happens to the file. */
  receive(harvest: Harvest): void {
    this.#harvests.add(harvest);
  }

  /** The tokens that were got for this refresh token are in the file, durably. */
  markStored(spent: string): Harvest | null {
    return this.#harvests.markStored(spent);
  }

  /** What was got for this refresh token is not waited for any more. */
  forget(spent: string): void {
    this.#harvests.forget(spent);
  }

  /** Reads the books, also when another daemon may have written them meanwhile. */
  async open(): Promise<void> {
    const { account, holdings, time } = this.#options;
    await this.ledger.open(time.now());
    for (const { fingerprint, reason } of this.ledger.record.dead) {
      if (reason === 'refresh_token_spent') holdings.spend(account, fingerprint);
    }
  }

  /**
   * This refresh token was spent for another one: it must never be sent again. Resolves to whether that outlives this
   * process.
   */
  burySpent(fingerprint: string): Promise<boolean> {
    const detail = 'auth.json holds a refresh token that was used before';
    return this.bury({ fingerprint, reason: 'refresh_token_spent', detail });
  }

  /** This refresh token must never be sent again. Resolves to whether that outlives this process. */
  bury(token: DeadToken): Promise<boolean> {
    const { account, holdings } = this.#options;
    if (token.reason === 'refresh_token_spent') holdings.spend(account, token.fingerprint);
    return this.ledger.bury(token);
  }

  /** Enters what was read, one reading after the other. Resolves when everyone has been told. */
  enter(reading: SettledReading): Promise<void> {
    return this.#entries.take(() => this.#enterNow(reading));
  }

  async #enterNow(reading: SettledReading): Promise<void> {
    const { time, onEntry } = this.#options;
    const baseUrls = this.#options.baseUrls();
    const inFile = loginIn(reading, baseUrls);
    const pending = this.#harvests.wantedBy(inFile);
    const ahead = pending === null ? null : readAhead(reading, pending, baseUrls, time.now());
    const writer = ahead !== null || this.#harvests.hasWritten(inFile) ? 'us' : 'other';
    if (writer === 'other' && pending === null && inFile.kind === 'chatgpt')
      this.#harvests.retireStored(inFile.credential.accountId);
    const writtenAtMs = reading.kind === 'text' ? reading.modifiedAtMs : 0;
    const login = this.#knownBefore(pending, inFile) ?? ahead ?? inFile;
    if (login.kind !== 'none') time.witness(login.credential.accessToken);
    const entry = await this.ledger.enter(login, writer, writtenAtMs, time.now());
    // Not before the ledger has it: what the file waits for, and whose login it is, are never of two files.
    this.#inFile = inFile;
    this.#stamp = reading.stamp;
    if (!this.isBlind) this.#known = login;
    if (entry !== 'same') onEntry(entry, writer);
  }

  /**
   * The login that holds for now, because the file has tokens of which neither the rename nor the journal is known to
   * outlive a loss of power: nobody hears of them before one of the two is. Null if it has none of those.
   */
  #knownBefore(pending: Harvest | null, inFile: Login): Login | null {
    if (pending === null || pending.isDurable || !isOurs(pending, inFile)) return null;
    return this.#known !== null && hasSpent(pending, this.#known) ? this.#known : null;
  }
}
