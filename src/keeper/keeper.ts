import type { DeadToken } from '../core/account-record.js';
import type { PublishedCredential } from '../core/credential.js';
import { loginIn, type BaseUrls, type Login, type RotatingLogin } from '../core/login.js';
import { dueAt, worthRotating, type RefreshPolicy } from '../core/plan.js';
import type { SettledReading } from '../core/reading.js';
import { REASONS } from '../core/reasons.js';
import { setback, setbackAfter, type Setback, type SetbackContext } from '../core/setback.js';
import { decideState, servable, type KeeperState, type Trouble } from '../core/state.js';
import { describeError } from '../errors.js';
import { pause } from '../os/clock.js';
import { isOurs, isRotation, isWanting, readAhead, type Harvest } from './harvest.js';
import { Ledger, type Writer } from './ledger.js';
import { Lookout } from './lookout.js';
import type { LogPort, RecordPort, TokenEndpointPort } from './ports.js';
import { RateLimit } from './rate-limit.js';
import { recover } from './recover.js';
import { rotate, storeHarvest, type RotationPorts, type RotationResult } from './rotate.js';
import { serveCredential, serveRefresh, type Kept } from './serve.js';
import { Setbacks } from './setbacks.js';
import type { CredentialKeeper, CredentialRequest, KeeperEvent, KeeperSnapshot } from './snapshot.js';
import { Tidings } from './tidings.js';

/** What may change while a keeper runs. */
export interface KeeperSettings {
  readonly policy: RefreshPolicy;
  readonly baseUrls: BaseUrls;
  readonly endpoint: TokenEndpointPort;
}

/** Everything that a keeper is made of. */
export interface KeeperOptions extends KeeperSettings, Omit<RotationPorts, 'onHarvest'> {
  readonly account: string;
  readonly record: RecordPort;
  readonly log: LogPort;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** No timer is armed for longer: the wall clock may jump, and Node's timers do not notice (facts 5.4). */
const LONGEST_NAP_MS = 3600 * 1000;
/** Between two attempts to store, at the end, tokens that are in memory only. */
const LAST_ATTEMPTS_MS = 1000;

/**
 * Keeps one account: knows what is in its auth.json, decides when to rotate, and tells its subscribers. How a
 * rotation goes is `rotate.ts`; how consumers are served is `serve.ts`.
 */
export class Keeper implements CredentialKeeper, Kept {
  readonly account: string;
  readonly #options: KeeperOptions;
  readonly #ledger: Ledger;
  readonly #lookout: Lookout;
  readonly #tidings: Tidings;
  readonly #setbacks = new Setbacks();
  readonly #refreshLimit = new RateLimit(() => this.#settings.policy.demandIntervalMs);
  readonly #counts = { own: 0, adopted: 0, requests: 0, failures: 0 };
  #settings: KeeperSettings;
  /** The last tokens that the server handed out. */
  #harvest: Harvest | null = null;
  /** The same, as long as the file waits for them. */
  #pending: Harvest | null = null;
  #flight: Promise<void> | null = null;
  #entries: Promise<unknown> = Promise.resolve();
  #lastStamp: string | null = null;
  #cancelNap: () => void = () => undefined;
  #isActive = false;

  constructor(options: KeeperOptions) {
    this.account = options.account;
    this.#options = options;
    this.#settings = options;
    this.#ledger = new Ledger(options.account, options.record, options.log);
    this.#lookout = new Lookout(options.authFile, async (reading) => {
      await this.#enter(reading, 'other');
    });
    this.#tidings = new Tidings(options.log);
  }

  /** Reads the file for the first time; afterwards there is a state to tell. Nothing is sent before `activate`. */
  async open(): Promise<void> {
    await this.#ledger.open(this.#now());
    await this.#resume();
    this.#settle();
  }

  /** From now on the keeper rotates when it is time. */
  activate(): void {
    this.#isActive = true;
    this.#settle();
  }

  /**
   * Ends the keeping. A rotation in flight is finished first, and tokens that are nowhere but in memory are stored:
   * there is no giving up on those.
   */
  async stop(): Promise<void> {
    this.#isActive = false;
    this.#cancelNap();
    await this.#flight;
    if (this.#pending !== null) await this.#fly();
    while (this.#pending !== null && !this.#pending.isDurable) {
      await pause(this.#options.clock, LAST_ATTEMPTS_MS);
      await this.#fly();
    }
    await this.#lookout.close();
    await this.#entries;
  }

  /** Takes other settings over, and drops a backoff that the old ones may have caused. */
  configure(settings: KeeperSettings): void {
    this.#settings = settings;
    this.#setbacks.forgive();
    void this.observe();
  }

  /** The file may have changed: reads it once its writer has finished, and adopts what is in it. */
  async observe(): Promise<void> {
    try {
      await this.#lookout.look();
    } catch (error) {
      this.#options.log.error({ account: this.account, err: error }, 'auth.json could not be looked at');
    }
    this.#settle();
  }

  /** To be called every few seconds: notices a jump of the clock, and a change of the file that no event told of. */
  async tick(): Promise<void> {
    const glance = await this.#options.authFile.read();
    if (glance.kind === 'unsettled' || glance.stamp !== this.#lastStamp) await this.observe();
    else this.#settle();
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
    if (this.#pending === null && epitaph !== null) return { trouble: epitaph, retryAtMs: null, failures: 0 };
    return this.#setbacks.of(login.refreshToken.fingerprint);
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

  /** When the token endpoint will next be asked, or a store be tried again; null if it will not. */
  get nextRotationAtMs(): number | null {
    const { login, published, provenance } = this.#ledger;
    if (!this.#isActive || login.kind !== 'chatgpt' || published === null) return null;
    if (this.setback !== null) return this.setback.retryAtMs;
    if (this.#pending !== null) return this.#now();
    return dueAt(published, provenance, this.#settings.policy);
  }

  /** Rotates now, or joins the rotation in flight. Never rejects: how it ended is in the state. */
  rotate(): Promise<void> {
    if (!this.#isActive) return this.#flight ?? Promise.resolve();
    return this.#fly();
  }

  #fly(): Promise<void> {
    const { login } = this.#ledger;
    if (login.kind !== 'chatgpt') return Promise.resolve();
    this.#flight ??= this.#rotateOnce(login, this.#pending).finally(() => {
      this.#flight = null;
      this.#settle();
    });
    return this.#flight;
  }

  /** `login` is what the decision to rotate was made for: if another one takes its place, nothing is sent. */
  async #rotateOnce(login: RotatingLogin, pending: Harvest | null): Promise<void> {
    try {
      await Promise.resolve();
      this.#tidings.announce(this.snapshot());
      const ports = { ...this.#options, endpoint: this.#countingEndpoint(), onHarvest: this.#receive };
      const isFirst = pending === null;
      const result = isFirst ? await rotate(login.refreshToken, ports) : await storeHarvest(pending, ports);
      await this.#conclude(result, login, isFirst);
    } catch (error) {
      this.#options.log.error({ account: this.account, err: error }, 'unexpected error');
      const trouble = { reason: 'internal_error', detail: describeError(error) } as const;
      this.#suffer(login, setback(trouble, this.#context(login)));
    }
  }

  readonly #receive = (harvest: Harvest): void => {
    this.#harvest = harvest;
    this.#pending = harvest;
  };

  async #conclude(result: RotationResult, login: RotatingLogin, isFirst: boolean): Promise<void> {
    this.#lookout.outdate();
    switch (result.kind) {
      case 'stored':
        await this.#concludeStored(result.reading, login, isFirst);
        return;
      case 'overtaken':
        await this.#lookout.look();
        return;
      case 'not_stored':
        await this.#lookout.look();
        this.#suffer(
          this.#ledger.login,
          setback({ reason: 'not_stored', detail: result.detail }, this.#context(login)),
        );
        return;
      case 'failed': {
        const { outcome } = result;
        this.#counts.failures += 1;
        this.#suffer(login, setbackAfter(outcome, this.#context(login)));
        if (outcome.kind === 'rejected') {
          const { fingerprint } = login.refreshToken;
          await this.#ledger.bury({ fingerprint, reason: 'refresh_token_rejected', detail: outcome.detail });
        }
        await this.#lookout.look();
        return;
      }
      case 'blocked':
        this.#suffer(login, setback(result.trouble, this.#context(login)));
    }
  }

  async #concludeStored(reading: SettledReading, login: RotatingLogin, isFirst: boolean): Promise<void> {
    const harvest = this.#harvest;
    const context = this.#context(login);
    this.#counts.own += 1;
    if (harvest !== null) {
      this.#harvest = { ...harvest, isStored: true };
      if (isRotation(harvest)) await this.#ledger.bury(spentToken(harvest.spent));
    }
    await this.#enter(reading, 'us');
    for (const { refreshToken } of [login, this.#ledger.login].filter((each) => each.kind === 'chatgpt')) {
      this.#setbacks.clear(refreshToken.fingerprint);
    }
    const access = harvest?.tokens.accessToken ?? null;
    const isNew = access !== null && !(isFirst && access.equals(login.credential.accessToken));
    if (isNew && this.servable !== null) return;
    this.#counts.failures += 1;
    this.#suffer(this.#ledger.login, setback(isNew ? ISSUED_EXPIRED : NOTHING_NEW, context));
  }

  #suffer(login: Login, next: Setback): void {
    if (login.kind === 'chatgpt') this.#setbacks.set(login.refreshToken.fingerprint, next);
    const { retryAtMs, trouble } = next;
    const { reason, detail } = trouble;
    const retryAt = retryAtMs === null ? null : new Date(retryAtMs).toISOString();
    const fields = { account: this.account, reason, detail, hint: REASONS[reason].hint, retry_at: retryAt };
    this.#options.log.warn(fields, 'rotation failed');
  }

  /** Takes up what a daemon before this one left in the journal, together with the first look at the file. */
  async #resume(): Promise<void> {
    const { journal, log } = this.#options;
    const recovery = await recover(journal, this.#now()).catch((error: unknown) => {
      log.error({ account: this.account, err: error }, 'the journal cannot be read');
      return { kind: 'nothing' } as const;
    });
    if (recovery.kind === 'harvest') this.#harvest = recovery.harvest;
    await this.#lookout.look();
    const { login } = this.#ledger;
    if (recovery.kind === 'nothing' || this.#pending !== null || login.kind !== 'chatgpt') return;
    if (recovery.kind === 'unknown' && recovery.spent === login.refreshToken.fingerprint) {
      const detail = 'a rotation was cut short before its answer came';
      this.#suffer(login, setbackAfter({ kind: 'unknown', detail }, this.#context(login)));
      return;
    }
    if (recovery.kind === 'harvest') await this.#ledger.bury(spentToken(recovery.harvest.spent));
    await journal.clear();
  }

  /** Enters what was read, one reading after the other. Resolves when everyone has been told. */
  #enter(reading: SettledReading, by: Writer): Promise<void> {
    const entered = this.#entries.then(() => this.#enterNow(reading, by));
    this.#entries = entered.catch(() => undefined);
    return entered;
  }

  async #enterNow(reading: SettledReading, by: Writer): Promise<void> {
    const { baseUrls } = this.#settings;
    const inFile = loginIn(reading, baseUrls);
    const harvest = this.#harvest;
    const pending = harvest !== null && isWanting(harvest, inFile) ? harvest : null;
    const ahead = pending === null ? null : readAhead(reading, pending, baseUrls, this.#now());
    const writer = ahead !== null || (harvest !== null && isOurs(harvest, inFile)) ? 'us' : by;
    const writtenAtMs = reading.kind === 'text' ? reading.modifiedAtMs : 0;
    const { isFirst } = this.#tidings;
    const isNew = await this.#ledger.enter(ahead ?? inFile, writer, writtenAtMs, this.#now());
    this.#lastStamp = reading.stamp;
    this.#pending = pending;
    const { published } = this.#ledger;
    if (!isNew || published === null) return;
    if (writer === 'other' && !isFirst) this.#counts.adopted += 1;
    const { generation, accessToken, expiresAtMs } = published;
    const { fingerprint } = accessToken;
    const expiresAt = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString();
    const fields = { account: this.account, generation, fingerprint, expires_at: expiresAt };
    this.#options.log.info(fields, writer === 'us' ? 'rotated' : 'adopted');
    if (this.servable !== null) this.#tidings.tell({ type: 'credential', credential: published });
  }

  /** Announces the state, rotates if it is time, and naps until the next moment at which something is to be done. */
  #settle(): void {
    this.#cancelNap();
    const nowMs = this.#now();
    const nextMs = this.nextRotationAtMs;
    if (this.#flight === null && nextMs !== null && nextMs <= nowMs) void this.rotate();
    this.#tidings.announce(this.snapshot());
    if (!this.#isActive) return;
    const moments = [this.#flight === null ? nextMs : null, this.servable?.expiresAtMs ?? null];
    const naps = moments.filter((moment) => moment !== null).map((moment) => moment - nowMs);
    this.#cancelNap = this.#options.clock.after(Math.min(LONGEST_NAP_MS, ...naps), () => {
      this.#settle();
    });
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

  #context(login: RotatingLogin): SetbackContext {
    return {
      previous: this.#setbacks.of(login.refreshToken.fingerprint),
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

const NOTHING_NEW: Trouble = {
  reason: 'no_access_token',
  detail: 'the token endpoint gave no new access token',
};

const ISSUED_EXPIRED: Trouble = {
  reason: 'issued_expired',
  detail: 'the token endpoint gave an access token that has already expired',
};

function spentToken(fingerprint: string): DeadToken {
  const detail = 'auth.json holds a refresh token that was used before';
  return { fingerprint, reason: 'refresh_token_spent', detail };
}
