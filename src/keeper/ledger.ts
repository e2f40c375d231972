import {
  EMPTY_RECORD,
  mergeRecords,
  findDead,
  withDeadToken,
  withDoubt,
  withoutDoubt,
  type AccountRecord,
  type DeadToken,
} from '../core/account-record.js';
import { digestOf, type PublishedCredential } from '../core/credential.js';
import type { Login } from '../core/login.js';
import type { Provenance } from '../core/plan.js';
import { Turns } from '../core/turns.js';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { LogPort, RecordPort } from './ports.js';
import type { LoginFacts } from './snapshot.js';

const NOTHING: Login = { kind: 'none', reason: 'no_file', detail: 'auth.json has not been read yet' };

/** Who wrote the login that is entered. */
export type Writer = 'us' | 'other';

/** What a login is to the books: the one that is there, one that was there before, or one with a new number. */
export type Entry = 'same' | 'returned' | 'new';

/** The books of one account: its login, the number of its credential, and what is remembered across restarts. */
export class Ledger {
  readonly #account: string;
  readonly #store: RecordPort;
  readonly #log: LogPort;
  readonly #saves = new Turns();
  #record: AccountRecord = EMPTY_RECORD;
  #isUnread = false;
  #login: Login = NOTHING;
  #published: PublishedCredential | null = null;
  #writtenAtMs = 0;

  constructor(account: string, store: RecordPort, log: LogPort) {
    this.#account = account;
    this.#store = store;
    this.#log = log;
  }

  /**
   * Reads the record, also when another daemon may have written it meanwhile. One that is damaged costs no login:
   * numbering goes on far above it. One that the disk does not give, or that a later version wrote, is not written over, for
   * it may tell of tokens that must not be sent.
   *
   * @throws AuthdError `storage` in that case
   */
  async open(nowMs: number): Promise<void> {
    try {
      const onDisk = (await this.#store.open()) ?? EMPTY_RECORD;
      this.#record = mergeRecords(onDisk, this.#record);
      this.#isUnread = false;
      // Numbers were given out that could not be written down then.
      if (this.#record.generation > onDisk.generation) await this.#save(this.#record);
    } catch (error) {
      this.#numberByTime(nowMs);
      this.#isUnread = systemErrorCode(error) !== undefined || error instanceof AuthdError;
      if (error instanceof AuthdError) throw error;
      if (this.#isUnread) {
        throw new AuthdError('storage', `the account record cannot be read: ${describeError(error)}`, {
          hint: 'make the state directory and what is in it readable',
          cause: error,
        });
      }
      this.#log.warn({ account: this.#account, err: error }, 'the account record is damaged');
    }
  }

  get login(): Login {
    return this.#login;
  }

  /** The credential in the file with its number, expired or not. */
  get published(): PublishedCredential | null {
    return this.#published;
  }

  get record(): AccountRecord {
    return this.#record;
  }

  /** Whether the token in the file is one that this program stored. */
  get writtenByUs(): boolean {
    return (
      this.#published !== null && this.#record.rotatedFingerprint === this.#published.accessToken.fingerprint
    );
  }

  /** What may be shown of the login in the file; null if there is none. */
  get facts(): LoginFacts | null {
    const login = this.#login;
    const published = this.#published;
    if (login.kind === 'none' || published === null) return null;
    return {
      kind: login.kind,
      email: login.kind === 'chatgpt' ? login.email : null,
      accountId: published.accountId,
      plan: published.plan,
      fingerprint: published.accessToken.fingerprint,
      generation: published.generation,
      issuedAtMs: published.issuedAtMs,
      expiresAtMs: published.expiresAtMs,
      writtenBy: this.writtenByUs ? 'codex-authd' : 'another process',
      writtenAtMs: this.#writtenAtMs,
    };
  }

  /** What the planner must know of the current credential. */
  get provenance(): Provenance {
    return {
      obtainedAtMs: this.#record.obtainedAtMs,
      rotated: this.writtenByUs,
      lastRefreshMs: this.#login.kind === 'chatgpt' ? this.#login.lastRefreshMs : null,
      jitterSeed: `${this.#account}:${String(this.#record.generation)}`,
    };
  }

  /**
   * Enters a login; gives its credential the next number if it is a new one, and writes that down before anyone
   * hears of it.
   */
  async enter(login: Login, by: Writer, writtenAtMs: number, nowMs: number): Promise<Entry> {
    this.#writtenAtMs = writtenAtMs;
    if (login.kind === 'none') {
      this.#login = login;
      this.#published = null;
      return 'same';
    }
    const { credential } = login;
    const digest = digestOf(credential);
    const isSame = this.#published !== null && digestOf(this.#published) === digest;
    const isNew = this.#record.digest !== digest;
    if (isNew) {
      const { fingerprint } = credential.accessToken;
      const rotated = by === 'us' ? { rotatedFingerprint: fingerprint, lastRotationAtMs: nowMs } : {};
      const before = this.#record;
      const generation = nextNumber(before.generation, nowMs);
      const next = { ...before, ...rotated, generation, digest, obtainedAtMs: nowMs };
      const saving = await this.#write(next);
      if (saving === 'not ours') await this.#numberUnwritten(before, digest, nowMs);
      else if (saving === 'failed') this.#numberByTime(nowMs, before.generation + 1);
    }
    this.#login = login;
    this.#published = { ...credential, generation: this.#record.generation };
    return isSame ? 'same' : isNew ? 'new' : 'returned';
  }

  /** Remembers that this refresh token must never be sent again. Resolves to whether that outlives this process. */
  bury(token: DeadToken): Promise<boolean> {
    return this.#save(withDeadToken(this.#record, token));
  }

  /** Remembers that this refresh token may have been spent. Resolves to whether that outlives this process. */
  doubt(fingerprint: string): Promise<boolean> {
    return this.#save(withDoubt(this.#record, fingerprint));
  }

  /** It is known now what became of this refresh token: it lives. Resolves to whether that outlives this process. */
  async trust(fingerprint: string): Promise<boolean> {
    if (!this.#record.doubted.includes(fingerprint)) return true;
    return this.#save(withoutDoubt(this.#record, fingerprint));
  }

  /** Whether this refresh token is known to have been spent. */
  isSpent(fingerprint: string): boolean {
    return this.#record.dead.some(
      (dead) => dead.fingerprint === fingerprint && dead.reason === 'refresh_token_spent',
    );
  }

  /** Why the refresh token in the file must not be sent to this endpoint; null if it may be. */
  epitaphAt(endpoint: string): DeadToken | null {
    if (this.#login.kind !== 'chatgpt') return null;
    return findDead(this.#record, this.#login.refreshToken.fingerprint, endpoint);
  }

  /** Whoever has the account's lock may have given a number: that one is remembered, and none of ours would be. */
  async #numberUnwritten(before: AccountRecord, digest: string, nowMs: number): Promise<void> {
    const onDisk = await this.#store.load().catch(() => null);
    const isNumbered = onDisk?.digest === digest && onDisk.generation > before.generation;
    if (isNumbered) this.#record = mergeRecords(onDisk, { ...this.#record, generation: before.generation });
    else this.#numberByTime(nowMs, (onDisk?.generation ?? 0) + 1);
  }

  /** A number that nobody will remember, or not after a loss of power, must not be given out again later. */
  #numberByTime(nowMs: number, lowest = 0): void {
    const generation = Math.max(Math.floor(nowMs / 1000), this.#record.generation, lowest);
    this.#record = { ...this.#record, generation };
  }

  /**
   * What was decided holds while the daemon lives, even if the disk refuses to remember it. One save after the other,
   * each of the newest record.
   */
  #write(record: AccountRecord): Promise<'written' | 'not ours' | 'failed'> {
    this.#record = record;
    return this.#saves.take(async () => {
      if (this.#isUnread) return 'failed';
      try {
        return (await this.#store.save(this.#record)) ? 'written' : 'not ours';
      } catch (error) {
        this.#log.warn({ account: this.#account, err: error }, 'the account record cannot be written');
        return 'failed';
      }
    });
  }

  /** Resolves to whether it is remembered. */
  async #save(record: AccountRecord): Promise<boolean> {
    return (await this.#write(record)) === 'written';
  }
}

/** Numbers from here on are instants, in seconds since the epoch. */
const FIRST_INSTANT = 1_000_000_000;

/**
 * Where numbers have once been given by the time, they go on by it: of those that were given and could not be written down
 * nobody knows, and counting on would come to them later.
 */
function nextNumber(last: number, nowMs: number): number {
  return last < FIRST_INSTANT ? last + 1 : Math.max(last + 1, Math.floor(nowMs / 1000));
}
