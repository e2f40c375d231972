import type { PublishedCredential } from '../core/credential.js';
import { withTokens } from '../core/edit.js';
import { loginIn, readLogin, type BaseUrls, type Login } from '../core/login.js';
import { dueAt, worthRotating, type RefreshPolicy } from '../core/plan.js';
import type { SettledReading } from '../core/reading.js';
import { setback, setbackAfter, type Setback, type SetbackContext } from '../core/setback.js';
import { decideState, servable, type KeeperState, type Trouble } from '../core/state.js';
import { describeError } from '../errors.js';
import { Ledger, type Writer } from './ledger.js';
import type { LogPort, RecordPort, TokenEndpointPort } from './ports.js';
import { RateLimit } from './rate-limit.js';
import { rotate, storeHarvest, type Harvest, type RotationPorts, type RotationResult } from './rotate.js';
import { serveCredential, serveRefresh, type Kept } from './serve.js';
import { recover } from './recover.js';
import type { CredentialKeeper, CredentialRequest, KeeperEvent, KeeperSnapshot } from './snapshot.js';
import { Tidings } from './tidings.js';

/** What may change while a keeper runs. */
export interface KeeperSettings {
  readonly policy: RefreshPolicy;
  readonly baseUrls: BaseUrls;
  readonly endpoint: TokenEndpointPort;
}

/** Everything that a keeper is made of. */
export interface KeeperOptions extends KeeperSettings, RotationPorts {
  readonly account: string;
  readonly record: RecordPort;
  readonly log: LogPort;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** No timer is armed for longer: the wall clock may jump, and Node's timers do not notice (facts 5.4). */
const LONGEST_NAP_MS = 3600 * 1000;

/**
 * Keeps one account: knows what is in its auth.json, decides when to rotate, and tells its subscribers. How a
 * rotation goes is `rotate.ts`; how consumers are served is `serve.ts`.
 */
export class Keeper implements CredentialKeeper, Kept {
  readonly account: string;
  readonly #options: KeeperOptions;
  readonly #ledger: Ledger;
  readonly #tidings: Tidings;
  #settings: KeeperSettings;
  readonly #counts = { own: 0, adopted: 0, requests: 0, failures: 0 };
  readonly #refreshLimit = new RateLimit(() => this.#settings.policy.demandIntervalMs);
  /** The last setback, with the fingerprint of the refresh token that met it: another login starts afresh, the same one does not. */
  #lastSetback: { readonly met: string; readonly setback: Setback } | null = null;
  /** Tokens that could not be stored yet. */
  #harvest: Harvest | null = null;
  /** The same, as long as the file holds the login that they belong to. */
  #pending: Harvest | null = null;
  #flight: Promise<void> | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #lastStamp: string | null = null;
  #cancelNap: () => void = () => undefined;
  #stopping = false;

  constructor(options: KeeperOptions) {
    this.account = options.account;
    this.#options = options;
    this.#settings = options;
    this.#ledger = new Ledger(options.account, options.record, options.log);
    this.#tidings = new Tidings(options.log);
  }

  /** Reads the file for the first time; afterwards there is a state to tell. */
  async start(): Promise<void> {
    await this.#ledger.open(this.#now());
    await this.#enqueue(() => this.#resume());
  }

  /** Ends the keeping. A rotation in flight is finished first. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelNap();
    await this.#flight;
    if (this.#pending !== null) await this.rotate();
    await this.#queue;
  }

  /** Takes other settings over, and drops a backoff that the old ones may have caused. */
  configure(settings: KeeperSettings): void {
    this.#settings = settings;
    if (this.setback?.trouble.reason !== 'outcome_unknown') this.#lastSetback = null;
    this.#lastStamp = null;
    void this.observe();
  }

  /** The file may have changed: reads it once its writer has finished, and adopts what is in it. */
  observe(): Promise<void> {
    return this.#enqueue(() => this.#look());
  }

  /** To be called every few seconds: notices a jump of the clock, and a change of the file that no event told of. */
  tick(): Promise<void> {
    return this.#enqueue(async () => {
      const glance = await this.#options.authFile.read();
      if (glance.kind !== 'unsettled' && glance.stamp === this.#lastStamp) return;
      await this.#look();
    });
  }

  credential(request: CredentialRequest): Promise<PublishedCredential> {
    return serveCredential(this, request, this.#options.clock);
  }

  refresh(request: Pick<CredentialRequest, 'waitMs' | 'signal'>): Promise<PublishedCredential> {
    return serveRefresh(this, request, this.#options.clock, this.#refreshLimit);
  }

  subscribe(listener: (event: KeeperEvent) => void): () => void {
    return this.#tidings.subscribe(listener);
  }

  snapshot(): KeeperSnapshot {
    return {
      account: this.account,
      state: this.state,
      credential: this.servable,
      login: this.#ledger.facts,
      nextRotationAtMs: this.nextRotationAtMs,
      lastRotationAtMs: this.#ledger.record.lastRotationAtMs,
      authFile: this.#options.authFile.path,
      tokenEndpoint: this.#settings.endpoint.url,
      counts: { ...this.#counts },
    };
  }

  // What serve.ts needs to know.

  get login(): Login {
    return this.#ledger.login;
  }

  get state(): KeeperState {
    return decideState({
      login: this.#ledger.login,
      nowMs: this.#now(),
      rotating: this.#flight !== null,
      trouble: this.setback?.trouble ?? null,
    });
  }

  get generation(): number {
    return this.#ledger.published?.generation ?? 0;
  }

  /** The credential that may be given out now. */
  get servable(): PublishedCredential | null {
    const { published } = this.#ledger;
    return published !== null && servable(published, this.#now()) ? published : null;
  }

  /** What stands between the login in the file and its next rotation. */
  get setback(): Setback | null {
    const { login, epitaph } = this.#ledger;
    if (login.kind !== 'chatgpt') return null;
    if (epitaph !== null) {
      return { trouble: { reason: 'refresh_token_rejected', detail: epitaph }, retryAtMs: null, failures: 0 };
    }
    return this.#lastSetback?.met === login.refreshToken.fingerprint ? this.#lastSetback.setback : null;
  }

  get flight(): Promise<void> | null {
    return this.#flight;
  }

  /** Whether a rotation would serve somebody who needs `minValidMs`. */
  isWorthRotating(minValidMs: number): boolean {
    const { published, provenance } = this.#ledger;
    if (published === null || this.nextRotationAtMs === null) return false;
    return worthRotating(published, provenance, this.#settings.policy, minValidMs, this.#now());
  }

  /** When the token endpoint will next be asked; null if it will not. */
  get nextRotationAtMs(): number | null {
    const { login, published, provenance } = this.#ledger;
    if (this.#stopping || login.kind !== 'chatgpt' || published === null) return null;
    if (this.setback !== null) return this.setback.retryAtMs;
    if (this.#pending !== null) return this.#now();
    return dueAt(published, provenance, this.#settings.policy);
  }

  /** Rotates now, or joins the rotation in flight. Never rejects: how it ended is in the state. */
  rotate(): Promise<void> {
    this.#flight ??= this.#enqueue(() => this.#rotateOnce()).finally(() => {
      this.#flight = null;
      this.#settle();
    });
    return this.#flight;
  }

  async #rotateOnce(): Promise<void> {
    const { login, epitaph } = this.#ledger;
    if (login.kind !== 'chatgpt' || epitaph !== null) return;
    const pending = this.#pending;
    if (this.#stopping && pending === null) return;
    this.#tidings.announce(this.snapshot());
    const ports = { ...this.#options, endpoint: this.#countingEndpoint() };
    if (pending === null) await this.#conclude(await rotate(login.refreshToken, ports));
    else await this.#conclude(await storeHarvest(pending, ports));
  }

  async #conclude(result: RotationResult): Promise<void> {
    const context = this.#context();
    switch (result.kind) {
      case 'stored': {
        const isFirstTold = this.#pending === null || !this.#pending.isDurable;
        this.#counts.own += 1;
        this.#harvest = null;
        const isNew = await this.#enter(result.reading, 'us');
        const trouble = isFirstTold ? this.#judgeNews(isNew) : null;
        if (trouble === null) this.#lastSetback = null;
        else this.#suffer(setback(trouble, context));
        return;
      }
      case 'overtaken':
        await this.#look();
        return;
      case 'not_stored':
        this.#harvest = result.harvest;
        await this.#look();
        this.#suffer(setback({ reason: 'not_stored', detail: result.detail }, context));
        return;
      case 'failed':
        this.#suffer(setbackAfter(result.outcome, context));
        if (result.outcome.kind === 'rejected' && this.login.kind === 'chatgpt') {
          await this.#ledger.bury(this.login.refreshToken, result.outcome.detail);
        }
        if (result.outcome.kind === 'unknown') await this.#look();
        return;
      case 'blocked':
        this.#suffer(setback(result.trouble, context));
    }
  }

  /** A rotation that brought no longer life must not be repeated at once. */
  #judgeNews(isNew: boolean): Trouble | null {
    if (!isNew) return { reason: 'no_access_token', detail: 'the token endpoint gave no new access token' };
    if (this.servable !== null) return null;
    return {
      reason: 'issued_expired',
      detail: 'the token endpoint gave an access token that has already expired',
    };
  }

  #suffer(next: Setback): void {
    this.#counts.failures += 1;
    const { login } = this.#ledger;
    if (login.kind === 'chatgpt') this.#lastSetback = { met: login.refreshToken.fingerprint, setback: next };
    const { retryAtMs, trouble } = next;
    const retryAt = retryAtMs === null ? null : new Date(retryAtMs).toISOString();
    this.#options.log.warn({ account: this.account, ...trouble, retry_at: retryAt }, 'rotation failed');
  }

  async #look(): Promise<void> {
    const reading = await this.#options.authFile.readSettled();
    if (reading.kind !== 'unsettled') await this.#enter(reading, 'other');
  }

  /** Takes up what a daemon before this one left in the journal, together with the first look at the file. */
  async #resume(): Promise<void> {
    const { journal } = this.#options;
    const recovery = await recover(journal, this.#now()).catch((error: unknown) => {
      this.#options.log.error({ account: this.account, err: error }, 'the journal cannot be read');
      return { kind: 'nothing' } as const;
    });
    if (recovery.kind === 'harvest') this.#harvest = recovery.harvest;
    await this.#look();
    if (recovery.kind === 'nothing' || this.#pending !== null) return;
    const { login } = this.#ledger;
    if (login.kind !== 'chatgpt') return;
    if (recovery.kind === 'harvest' || login.refreshToken.fingerprint !== recovery.spent) {
      this.#harvest = null;
      await journal.clear();
      return;
    }
    const detail = 'a rotation was cut short before its answer came';
    this.#suffer(setbackAfter({ kind: 'unknown', detail }, this.#context()));
  }

  /**
   * The login as it will be once the tokens are stored: they are in the journal, so consumers may have them. Null if
   * they are in memory only, or the file has no place for them.
   */
  #readAhead(reading: SettledReading, { tokens, isDurable }: Harvest): Login | null {
    if (!isDurable || reading.kind !== 'text') return null;
    try {
      return readLogin(withTokens(reading.text, tokens, this.#now()), this.#settings.baseUrls);
    } catch {
      return null;
    }
  }

  async #enter(reading: SettledReading, by: Writer): Promise<boolean> {
    this.#lastStamp = reading.stamp;
    const inFile = loginIn(reading, this.#settings.baseUrls);
    this.#pending = this.#harvest !== null && belongsTo(this.#harvest, inFile) ? this.#harvest : null;
    const ahead = this.#pending === null ? null : this.#readAhead(reading, this.#pending);
    const login = ahead ?? inFile;
    if (ahead !== null) by = 'us';
    const { isFirst } = this.#tidings;
    const writtenAtMs = reading.kind === 'text' ? reading.modifiedAtMs : 0;
    const isNew = await this.#ledger.enter(login, by, writtenAtMs, this.#now());
    const { published } = this.#ledger;
    if (isNew && published !== null) {
      if (by === 'other' && !isFirst) this.#counts.adopted += 1;
      const { generation, accessToken, expiresAtMs } = published;
      const expiresAt = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString();
      const { fingerprint } = accessToken;
      const fields = { account: this.account, generation, fingerprint, expires_at: expiresAt };
      this.#options.log.info(fields, by === 'us' ? 'rotated' : 'adopted');
      if (this.servable !== null) this.#tidings.tell({ type: 'credential', credential: published });
    }
    return isNew;
  }

  /** Announces the state, rotates if it is time, and naps until the next moment at which something is to be done. */
  #settle(): void {
    this.#cancelNap();
    if (this.#stopping) return;
    const nowMs = this.#now();
    const nextMs = this.nextRotationAtMs;
    if (this.#flight === null && nextMs !== null && nextMs <= nowMs) void this.rotate();
    this.#tidings.announce(this.snapshot());
    const moments = [this.#flight === null ? nextMs : null, this.servable?.expiresAtMs ?? null];
    const naps = moments.filter((moment) => moment !== null).map((moment) => moment - nowMs);
    this.#cancelNap = this.#options.clock.after(Math.min(LONGEST_NAP_MS, ...naps), () => {
      this.#settle();
    });
  }

  /** Runs the account's work one piece after the other. A piece that throws is logged, and the next one runs. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work).catch((error: unknown) => {
      this.#options.log.error({ account: this.account, err: error }, 'unexpected error');
      this.#suffer(setback({ reason: 'internal_error', detail: describeError(error) }, this.#context()));
    });
    this.#queue = done.then(() => {
      if (this.#flight === null) this.#settle();
    });
    return done;
  }

  #countingEndpoint(): TokenEndpointPort {
    const { endpoint } = this.#settings;
    return {
      url: endpoint.url,
      send: (refreshToken, onBytes) => {
        this.#counts.requests += 1;
        return endpoint.send(refreshToken, onBytes);
      },
    };
  }

  #context(): SetbackContext {
    return {
      previous: this.setback,
      nowMs: this.#now(),
      expiresAtMs: this.#ledger.published?.expiresAtMs ?? null,
      policy: this.#settings.policy,
      random: this.#options.random,
    };
  }

  #now(): number {
    return this.#options.clock.now();
  }
}

/** Also when the file holds the new tokens already: a commit may fail between its rename and its last sync. */
function belongsTo({ spent, tokens }: Harvest, login: Login): boolean {
  if (login.kind !== 'chatgpt') return false;
  const { fingerprint } = login.refreshToken;
  return fingerprint === spent || fingerprint === tokens.refreshToken?.fingerprint;
}
