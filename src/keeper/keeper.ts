import type { PublishedCredential } from '../core/credential.js';
import type { Login } from '../core/login.js';
import { dueAt, mayWait, worthRotating } from '../core/plan.js';
import type { Setback } from '../core/setback.js';
import { decideState, servable, type KeeperState } from '../core/state.js';
import { pause } from '../os/clock.js';
import { Claim } from './claim.js';
import { Contents } from './contents.js';
import type { Writer } from './ledger.js';
import type { KeeperOptions, KeeperSettings } from './keeper-options.js';
import { Leftovers } from './leftovers.js';
import { Lookout } from './lookout.js';
import { publishable, type Publishable } from './publishable.js';
import { Publications } from './publications.js';
import { RateLimit } from './rate-limit.js';
import { recover } from './recover.js';
import { Rejections } from './rejections.js';
import { Rotations } from './rotations.js';
import type { ServerTime } from './server-time.js';
import { serveCredential, serveRefresh, type Kept } from './serve.js';
import { servePublish, serveUnpublish } from './serve-published.js';
import { serveRejected } from './serve-rejected.js';
import type {
  CredentialKeeper,
  CredentialRequest,
  KeeperEvent,
  KeeperSnapshot,
  Published,
  PublishRequest,
  RejectionRequest,
  Unpublished,
} from './snapshot.js';
import { Tidings } from './tidings.js';
import { settledWithin } from './wait.js';

/** No timer is armed for longer: the wall clock may jump, and Node's timers do not notice (facts 5.4). */
const LONGEST_NAP_MS = 3600 * 1000;
const LEFT_UNREAD = 'what a daemon before this one left cannot be read: nothing is sent before it can';
/** Between two attempts to store, at the end, tokens that are in memory only. */
const LAST_ATTEMPTS_MS = 1000;
/** How long the end waits for a directory of consumers that may hang. */
const LAST_PUBLICATION_MS = 2000;

/**
 * Keeps one account: looks at its auth.json, decides when to rotate, and tells its subscribers. How a rotation goes is
 * `rotate.ts`, and what becomes of it `rotations.ts`; how consumers are served is `serve.ts`.
 */
export class Keeper implements CredentialKeeper, Kept {
  readonly account: string;
  readonly #options: KeeperOptions;
  readonly #time: ServerTime;
  readonly #contents: Contents;
  readonly #lookout: Lookout;
  readonly #claim: Claim;
  readonly #rotations: Rotations;
  readonly #leftovers: Leftovers;
  readonly #tidings: Tidings;
  readonly #refreshLimit = new RateLimit(() => this.#settings.policy.demandIntervalMs);
  readonly #rejections: Rejections;
  readonly #publications: Publications;
  #settings: KeeperSettings;
  #adopted = 0;
  #cancelNap: () => void = () => undefined;
  #isActive = false;
  #isStopped = false;

  constructor(options: KeeperOptions) {
    this.account = options.account;
    this.#options = options;
    this.#settings = options;
    this.#tidings = new Tidings(options.log);
    this.#time = options.time;
    this.#rejections = new Rejections({
      ...options,
      intervalMs: () => this.#settings.policy.rejectionIntervalMs,
    });
    this.#publications = new Publications({
      ...options,
      ...options.publications,
      homes: () => this.#settings.homes,
      publishable: () => this.#publishable(),
      isElsewhere: () => this.#claim.trouble !== null,
    });
    this.#contents = new Contents({
      ...options,
      time: this.#time,
      baseUrls: () => this.#settings.baseUrls,
      onEntry: (entry, writer) => {
        if (entry === 'new' && writer === 'other' && !this.#tidings.isFirst) this.#adopted += 1;
        if (writer === 'other') this.#leftovers.outdate();
        this.#tellNew(writer);
      },
    });
    this.#leftovers = new Leftovers({
      ...options,
      contents: this.#contents,
      isQuiet: () => this.flight === null && this.#claim.isSettled,
      onAnswer: (harvest) => {
        this.#rotations.receive(harvest);
        this.#lookout.outdate();
        void this.observe();
      },
    });
    this.#lookout = new Lookout(options.authFile, (reading) => this.#contents.enter(reading));
    this.#claim = new Claim(options.lock, () => this.#takeUp());
    this.#rotations = new Rotations({
      ...options,
      time: this.#time,
      endpoint: () => this.#settings.endpoint,
      policy: () => this.#settings.policy,
      contents: this.#contents,
      lookout: this.#lookout,
      lock: this.#claim,
      onChange: () => {
        this.#leftovers.outdate();
        this.#settle();
      },
    });
  }

  /**
   * Reads the file for the first time, and takes up what a daemon before this one left in the journal. Afterwards
   * there is a state to tell. Nothing is sent before `activate`.
   */
  async open(): Promise<void> {
    await this.#publications.open();
    try {
      await this.#claim.open();
    } catch (error) {
      this.#options.log.error({ account: this.account, err: error }, LEFT_UNREAD);
      await this.observe();
    }
    await this.#leftovers.sweep();
    void this.#publications.configure(this.#settings.publishIn);
    this.#settle();
  }

  /** Takes the account's lock unless it is held: it may be possible now. */
  async claim(): Promise<void> {
    if (this.#isStopped) return;
    const failure = await this.#claim.attempt();
    if (failure !== null)
      this.#options.log.warn({ account: this.account, err: failure }, 'the account lock cannot be taken yet');
    this.#settle();
  }

  /** From now on the keeper rotates when it is time. */
  activate(): void {
    this.#isActive = true;
    this.#settle();
  }

  /**
   * Ends the keeping. A rotation in flight is finished first, and tokens that are nowhere but in memory are stored:
   * there is no giving up on those. What is published stays for a successor, or is removed where there will be none.
   */
  async stop(publications: 'close' | 'retire' = 'close'): Promise<void> {
    this.#isActive = false;
    this.#isStopped = true;
    this.#cancelNap();
    await Promise.all([this.#rotations.flight, this.#claim.attempted]);
    if (this.#contents.pending !== null) await this.#rotations.start();
    while (this.#contents.isUnsaved) {
      await pause(this.#time, LAST_ATTEMPTS_MS);
      await this.#lookout.look();
      // The file may be another one's by now, whose token is none of ours to spend.
      if (this.#contents.pending !== null) await this.#rotations.start();
    }
    await this.#lookout.close();
    this.#options.holdings.hold(this.account, null);
    await settledWithin(this.#publications[publications](), LAST_PUBLICATION_MS, this.#time);
  }

  /** Takes other settings over, and drops a backoff that the old ones may have caused. */
  configure(settings: KeeperSettings): void {
    this.#settings = settings;
    this.#rotations.forgive();
    void this.#publications.configure(settings.publishIn);
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
    if (this.#claim.held) {
      await this.#claim.goOn().catch((error: unknown) => {
        this.#options.log.warn({ account: this.account, err: error }, LEFT_UNREAD);
      });
    } else void this.claim();
    const glance = await this.#options.authFile.read();
    if (glance.kind === 'unsettled' || glance.stamp !== this.#contents.stamp) await this.observe();
    else this.#settle();
    await this.#leftovers.sweep();
  }

  credential(request: CredentialRequest): Promise<PublishedCredential> {
    return serveCredential(this, request, this.#time);
  }

  refresh(request: Pick<CredentialRequest, 'waitMs' | 'signal'>): Promise<PublishedCredential> {
    return serveRefresh(this, request, this.#time, this.#refreshLimit);
  }

  rejected(request: RejectionRequest): Promise<PublishedCredential> {
    return serveRejected(this, request, this.#time, this.#rejections);
  }

  publish(request: PublishRequest): Promise<Published> {
    return servePublish(this, request, this.#time, this.#publications);
  }

  unpublish(request: Pick<PublishRequest, 'directory' | 'waitMs' | 'signal'>): Promise<Unpublished> {
    return serveUnpublish(request, this.#time, this.#publications);
  }

  subscribe(listener: (event: KeeperEvent) => void): () => void {
    return this.#tidings.subscribe(listener);
  }

  snapshot(): KeeperSnapshot {
    const { ledger } = this.#contents;
    return {
      account: this.account,
      state: this.state,
      credential: this.servable,
      login: ledger.facts,
      nextRotationAtMs: this.nextRotationAtMs,
      lastRotationAtMs: ledger.record.lastRotationAtMs,
      authFile: this.#options.authFile.path,
      tokenEndpoint: this.#settings.endpoint.url,
      counts: { ...this.#rotations.counts, adopted: this.#adopted, rejections: this.#rejections.count },
      clockOffsetMs: this.#time.offsetMs,
      published: this.#publications.facts,
    };
  }

  now(): number {
    return this.#time.now();
  }

  // What serve.ts needs to know.

  get login(): Login {
    return this.#contents.ledger.login;
  }

  get state(): KeeperState {
    return decideState({
      login: this.login,
      nowMs: this.now(),
      rotating: this.flight !== null,
      trouble: this.setback?.trouble ?? this.#claim.trouble,
    });
  }

  get generation(): number {
    return this.#contents.ledger.published?.generation ?? 0;
  }

  /** The credential that may be given out now. */
  get servable(): PublishedCredential | null {
    const { published } = this.#contents.ledger;
    return published !== null && servable(published, this.now()) ? published : null;
  }

  get setback(): Setback | null {
    return this.#rotations.setback;
  }

  get flight(): Promise<void> | null {
    return this.#rotations.flight;
  }

  /** Whether something would be lost if this process ended now: an answer on its way, or tokens that are in memory only. */
  get isAtStake(): boolean {
    return this.#rotations.isSending || this.#contents.isUnsaved;
  }

  get requests(): number {
    return this.#rotations.counts.requests;
  }

  /** Whether a rotation would serve somebody who needs `minValidMs`. */
  isWorthRotating(minValidMs: number): boolean {
    const { published, provenance } = this.#contents.ledger;
    if (published === null || this.nextRotationAtMs === null) return false;
    return worthRotating(published, provenance, this.#settings.policy, minValidMs, this.now());
  }

  /** When the token endpoint will next be asked, or a store be tried again; null if it will not. */
  get nextRotationAtMs(): number | null {
    const { login, published, provenance } = this.#contents.ledger;
    if (!this.#isActive || login.kind !== 'chatgpt' || published === null) return null;
    if (this.setback !== null) return this.setback.retryAtMs;
    if (this.#contents.pending !== null) return this.now();
    return dueAt(published, provenance, this.#settings.policy);
  }

  /** Rotates now, or joins the rotation in flight. Never rejects: how it ended is in the state. */
  rotate(): Promise<void> {
    if (!this.#isActive) return this.flight ?? Promise.resolve();
    return this.#rotations.start();
  }

  /**
   * Takes up what was left by a daemon that had the lock before, and looks at the file.
   *
   * @throws AuthdError `storage` if something that was left cannot be read
   */
  async #takeUp(): Promise<void> {
    await this.#contents.open();
    for (const recovery of await recover(this.#options.journal, this.now())) {
      if (recovery.kind === 'harvest') this.#rotations.receive(recovery.harvest);
      else this.#rotations.admitUnknown(recovery.spent);
    }
    for (const doubt of this.#contents.ledger.record.doubted) this.#rotations.admitUnknown(doubt);
    this.#lookout.outdate();
    await this.#lookout.look();
    this.#rotations.meet();
    this.#leftovers.outdate();
    if (this.#options.lock.held) this.#rotations.unlock();
  }

  /** How long a rotation that is due waits for those of other accounts. Tokens that have come wait for nobody. */
  #untilTurn(nowMs: number): number {
    const { pending, ledger } = this.#contents;
    if (pending !== null || ledger.published === null || !mayWait(ledger.published, nowMs)) return 0;
    return this.#options.pace.take(this.account, this.#time.monotonicMs());
  }

  #publishable(): Publishable {
    const { login, servable, state } = this;
    const { obtainedAtMs } = this.#contents.ledger.record;
    return publishable({ login, servable, state, obtainedAtMs });
  }

  #tellNew(writer: Writer): void {
    const { published } = this.#contents.ledger;
    if (published === null) return;
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
    if (!this.#isStopped) this.#rotations.own();
    this.#rotations.meet();
    this.#tidings.warnOfClock(this.account, this.#time.offsetMs);
    const nowMs = this.now();
    const nextMs = this.nextRotationAtMs;
    const isDue = this.flight === null && nextMs !== null && nextMs <= nowMs;
    const turnMs = isDue ? this.#untilTurn(nowMs) : 0;
    if (isDue && turnMs === 0) void this.rotate();
    this.#tidings.announce(this.snapshot());
    void this.#publications.follow();
    if (!this.#isActive) return;
    const beginMs = this.flight === null && nextMs !== null ? Math.max(nextMs, nowMs + turnMs) : null;
    const moments = [beginMs, this.servable?.expiresAtMs ?? null];
    const naps = moments.filter((moment) => moment !== null).map((moment) => moment - nowMs);
    this.#cancelNap = this.#time.after(Math.min(LONGEST_NAP_MS, ...naps), () => {
      this.#settle();
    });
  }
}
