import type { AccountRecord } from '../../src/core/account-record.js';
import { CODEX_BASE_URLS } from '../../src/core/base-urls.js';
import { isSuccess, type Answer } from '../../src/core/outcome.js';
import { DEFAULT_POLICY, type RefreshPolicy } from '../../src/core/plan.js';
import type { Reading } from '../../src/core/reading.js';
import type { AuthdError } from '../../src/errors.js';
import { Keeper } from '../../src/keeper/keeper.js';
import { Holdings } from '../../src/keeper/holdings.js';
import { Pace } from '../../src/keeper/pace.js';
import { ServerTime } from '../../src/keeper/server-time.js';
import type {
  AccountLockPort,
  AuthFilePort,
  SendRefresh,
  StagePort,
  TokenEndpointPort,
} from '../../src/keeper/ports.js';
import type { KeeperEvent } from '../../src/keeper/snapshot.js';
import { pause } from '../../src/os/clock.js';
import { VirtualDirectories } from './virtual-directories.js';
import { VirtualJournal } from './virtual-journal.js';
import { VirtualClock } from './virtual-clock.js';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const START_MS = Date.parse('2026-11-22T12:00:00Z');

/** One account in a world of its own: virtual clock, file, token endpoint, lock and record. */
export class World {
  readonly clock: VirtualClock;
  readonly file: VirtualFile;
  readonly server: VirtualServer;
  readonly events: KeeperEvent[] = [];
  readonly warnings: object[] = [];
  journal = new VirtualJournal();
  record: AccountRecord | null = null;
  lock: { -readonly [Key in keyof AccountLockPort]: AccountLockPort[Key] } = {
    held: true,
    tenure: {},
    refusal: null,
    ensure: () => Promise.resolve('held'),
    confirm: () => Promise.resolve(this.lock.held),
  };
  /** The turns of accounts; shared by the keepers of one daemon. */
  pace = new Pace(0);
  holdings = new Holdings();
  /** The refresh tokens that are being sent by others. */
  readonly sending = new Set<string>();
  /** What the records of other homes tell. */
  otherRecords: readonly AccountRecord[] = [];
  isRecordWritable = true;
  recordFailure: Error | null = null;
  /** Settles when the disk has time for the record. */
  saving: Promise<void> = Promise.resolve();
  random = 0.5;
  policy: RefreshPolicy = DEFAULT_POLICY;
  readonly published = new VirtualDirectories();
  publishIn: readonly string[] = [];

  /** Worlds with the same clock are accounts of one daemon. */
  constructor(clock = new VirtualClock(START_MS)) {
    this.clock = clock;
    this.file = new VirtualFile(clock);
    this.server = new VirtualServer(clock);
  }

  /** Puts a login into the file whose access token lives `lifetimeMs` and was issued `ageMs` ago. */
  logIn(lifetimeMs: number, ageMs = 0, refreshToken = this.server.firstRefreshToken()): void {
    const issuedAtMs = this.server.now() - ageMs;
    this.file.text = loginText(this.server.issue(issuedAtMs, lifetimeMs), refreshToken, issuedAtMs);
    this.server.lifetimeMs = lifetimeMs;
  }

  /** A keeper in this world that has read the file. */
  async keeper({ activate = true, account = 'default' } = {}): Promise<Keeper> {
    const keeper = new Keeper({
      account,
      authFile: this.file,
      endpoint: this.server,
      journal: this.journal.ofOne(),
      pace: this.pace,
      holdings: this.holdings,
      publications: this.published,
      homes: [this.file.path],
      publishIn: this.publishIn,
      lock: this.lock,
      otherRecords: () => Promise.resolve(this.otherRecords),
      tokenLocks: { take: (fingerprint) => Promise.resolve(this.#takeToken(fingerprint)) },
      time: new ServerTime(this.clock),
      policy: this.policy,
      baseUrls: CODEX_BASE_URLS,
      record: {
        load: () => this.#readRecord(),
        open: () => this.#readRecord(),
        save: async (record) => {
          await this.saving;
          if (!this.isRecordWritable) throw new Error('EROFS');
          this.record = record;
          return true;
        },
      },
      log: {
        info: () => undefined,
        warn: (fields) => this.warnings.push(fields),
        error: (fields) => this.warnings.push(fields),
      },
      random: () => this.random,
    });
    keeper.subscribe((event) => this.events.push(event));
    await keeper.open();
    if (activate) keeper.activate();
    await this.clock.advance(0);
    return keeper;
  }

  #takeToken(fingerprint: string): { release: () => Promise<void> } | null {
    if (this.sending.has(fingerprint)) return null;
    this.sending.add(fingerprint);
    const release = (): Promise<void> => {
      this.sending.delete(fingerprint);
      return Promise.resolve();
    };
    return { release };
  }

  #readRecord(): Promise<AccountRecord | null> {
    return this.recordFailure === null ? Promise.resolve(this.record) : Promise.reject(this.recordFailure);
  }

  /** The lock is lost, somebody has it, and is gone again: the next who asks takes it anew. */
  takeLockAnew(): void {
    let isNew = true;
    this.lock.tenure = {};
    this.lock.ensure = () => {
      const found = isNew ? 'taken' : 'held';
      isNew = false;
      return Promise.resolve(found);
    };
  }

  /** The clock of the machine is set, rightly or not; the server's goes on as it did. */
  setClock(byMs: number): void {
    this.clock.jump(byMs);
    this.server.aheadMs -= byMs;
  }

  /** The machine sleeps: its timers stand still. */
  sleep(ms: number): void {
    this.clock.jump(ms);
  }

  /** The names of the states that were announced, in order. */
  get states(): string[] {
    return this.events.filter((event) => event.type === 'state').map(({ snapshot }) => snapshot.state.name);
  }
}

/** An auth.json that is in memory and never torn. */
class VirtualFile implements AuthFilePort {
  readonly #clock: VirtualClock;
  readonly path = '/home/somebody/.codex/auth.json';
  text: string | null = null;
  /** What making room answers; null if there is room. */
  refusal: AuthdError | null = null;
  /** What the next replacements fail with. */
  failures: Error[] = [];
  /** What was put into its place. */
  readonly commits: string[] = [];
  /** The same, once the file has been replaced. */
  failAfterRename: Error[] = [];
  /** What making durable what others wrote fails with. */
  unconfirmed: Error[] = [];
  /** Settles when the disk has time for that. */
  confirming: Promise<void> = Promise.resolve();
  /** How often what is in the directory was made durable. */
  confirmed = 0;
  /** Whether a writer is in the middle of it: nothing can be said of the file then. */
  isUnsettled = false;
  /** Whether the file system fails to read it. */
  isUnreadable = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  read(): Promise<Reading> {
    const { text } = this;
    if (this.isUnsettled) return Promise.resolve({ kind: 'unsettled' });
    if (this.isUnreadable) {
      return Promise.resolve({ kind: 'refused', reason: 'unreadable', detail: 'EIO', stamp: 'unreadable' });
    }
    if (text === null) return Promise.resolve({ kind: 'absent', stamp: 'absent', otherStore: null });
    return Promise.resolve({ kind: 'text', text, stamp: text, modifiedAtMs: 0 });
  }

  async readSettled(): Promise<Reading> {
    // As the real one, it takes its time over a file that is being written.
    if (this.isUnsettled) await pause(this.#clock, 1250);
    return this.read();
  }

  stage(): Promise<StagePort> {
    if (this.refusal !== null) return Promise.reject(this.refusal);
    return Promise.resolve({
      commit: (expected, replacement) => {
        const failure = this.failures.shift();
        if (failure !== undefined) return Promise.reject(failure);
        if (this.text !== expected) return Promise.resolve(false);
        this.text = replacement;
        this.commits.push(replacement);
        const late = this.failAfterRename.shift();
        return late === undefined ? Promise.resolve(true) : Promise.reject(late);
      },
      confirm: () => this.confirm(),
      discard: () => Promise.resolve(),
    });
  }

  async confirm(): Promise<void> {
    await this.confirming;
    const failure = this.unconfirmed.shift();
    if (failure !== undefined) throw failure;
    this.confirmed += 1;
  }
}

/** A token endpoint that rotates, unless it was told to answer otherwise. */
class VirtualServer implements TokenEndpointPort {
  readonly url = 'https://auth.example.com/oauth/token';
  /** Another one after a change of the settings. */
  identity = 'as configured';
  readonly #clock: VirtualClock;
  #count = 0;
  /** Every refresh token that was sent, in order. */
  readonly sent: string[] = [];
  /** What the next requests are answered; then it rotates again. */
  answers: (Answer | (() => Promise<Answer> | Answer))[] = [];
  lifetimeMs = HOUR;
  /** Settles when a connection to it has been made. */
  connection: Promise<void> = Promise.resolve();
  /** By how much its clock is ahead of the machine's. */
  aheadMs = 0;
  /** Whether its answers have a Date. */
  isDated = true;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  prepare(): Promise<SendRefresh> {
    return Promise.resolve(async (refreshToken, onBytes, mayLeave) => {
      await this.connection;
      if (!(await mayLeave())) return { kind: 'never_sent', code: 'withheld', message: 'withheld' };
      return this.#send(refreshToken.reveal(), onBytes);
    });
  }

  async #send(refreshToken: string, onBytes: (bytes: Uint8Array) => void): Promise<Answer> {
    this.sent.push(refreshToken);
    const scripted = this.answers.shift() ?? this.rotation();
    const answer = await (typeof scripted === 'function' ? scripted() : scripted);
    if (answer.kind !== 'answered') return answer;
    if (isSuccess(answer.status)) onBytes(Buffer.from(answer.body));
    return this.isDated && answer.date === null
      ? { ...answer, date: new Date(this.now()).toUTCString() }
      : answer;
  }

  now(): number {
    return this.#clock.now() + this.aheadMs;
  }

  /** The answer of a server that rotates. */
  rotation(lifetimeMs = this.lifetimeMs): Answer {
    this.#count += 1;
    const access = this.issue(this.now(), lifetimeMs);
    const tokens = { access_token: access, refresh_token: `refresh-${String(this.#count)}` };
    return answered(200, JSON.stringify(tokens));
  }

  firstRefreshToken(): string {
    this.#count += 1;
    return `refresh-${String(this.#count)}`;
  }

  issue(issuedAtMs: number, lifetimeMs: number): string {
    const claims = { iat: issuedAtMs / 1000, exp: (issuedAtMs + lifetimeMs) / 1000, jti: Math.random() };
    return `${encode({ alg: 'none' })}.${encode(claims)}.signature`;
  }
}

export function answered(
  status: number,
  body = '',
  headers: { retryAfter?: string; date?: string } = {},
): Answer {
  const { retryAfter = null, date = null } = headers;
  return { kind: 'answered', status, body, retryAfter, date };
}

/** An auth.json as Codex writes it. */
export function loginText(accessToken: string, refreshToken: string, lastRefreshMs: number): string {
  const tokens = {
    id_token: 'e30.e30.e30',
    access_token: accessToken,
    refresh_token: refreshToken,
    account_id: 'a',
  };
  const last_refresh = new Date(lastRefreshMs).toISOString();
  return JSON.stringify({ auth_mode: 'chatgpt', OPENAI_API_KEY: null, tokens, last_refresh }, null, 2);
}

/** The refresh token in a text. */
export function refreshTokenIn(text: string | null): unknown {
  const file: unknown = JSON.parse(text ?? '{}');
  if (typeof file !== 'object' || file === null || !('tokens' in file)) return undefined;
  const { tokens } = file;
  return typeof tokens === 'object' && tokens !== null && 'refresh_token' in tokens
    ? tokens.refresh_token
    : undefined;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Something that a test opens when it is time. */
export function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** A world in which a rotation is due, and whose token endpoint answers it when the gate is opened. */
export function dueWorld(): { world: World; open: () => void } {
  const world = new World();
  world.logIn(HOUR, 50 * MINUTE);
  const { open, opened } = gate();
  world.server.answers = [() => opened.then(() => world.server.rotation())];
  return { world, open };
}
