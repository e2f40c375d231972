import type { DeadToken } from '../core/account-record.js';
import type { Login, RotatingLogin } from '../core/login.js';
import type { RefreshPolicy } from '../core/plan.js';
import { REASONS } from '../core/reasons.js';
import { setback, setbackAfter, type Setback, type SetbackContext } from '../core/setback.js';
import type { Trouble } from '../core/state.js';
import { describeError } from '../errors.js';
import type { RotationCounts } from '../protocol.js';
import { attend } from './attend.js';
import type { Contents } from './contents.js';
import { isRotation, type Harvest } from './harvest.js';
import type { Lookout } from './lookout.js';
import type { HoldingsPort, LogPort, Owner, TokenEndpointPort } from './ports.js';
import { rotate } from './rotate.js';
import type { RotationPorts, RotationResult } from './rotation.js';
import type { ServerTime } from './server-time.js';
import { Setbacks } from './setbacks.js';
import { storeHarvest } from './store-harvest.js';

export interface RotationsOptions extends Omit<
  RotationPorts,
  'onHarvest' | 'onDoubt' | 'onDead' | 'endpoint' | 'clock'
> {
  readonly account: string;
  readonly log: LogPort;
  readonly holdings: HoldingsPort;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly endpoint: () => TokenEndpointPort;
  readonly policy: () => RefreshPolicy;
  readonly time: ServerTime;
  readonly contents: Contents;
  readonly lookout: Lookout;
  /** A rotation has begun, or is over. */
  readonly onChange: () => void;
}

/** The rotations of one account, one at a time, and what became of them. */
export class Rotations {
  readonly #options: RotationsOptions;
  readonly #setbacks: Setbacks;
  readonly #counts = { own: 0, requests: 0, failures: 0 };
  #flight: Promise<void> | null = null;
  #isSending = false;

  constructor(options: RotationsOptions) {
    this.#options = options;
    this.#setbacks = new Setbacks(options.time);
  }

  /** The rotation in flight. Never rejects. */
  get flight(): Promise<void> | null {
    return this.#flight;
  }

  /** Whether a refresh token has left, and it is not known yet what became of it. */
  get isSending(): boolean {
    return this.#isSending;
  }

  get counts(): Omit<RotationCounts, 'adopted' | 'rejections'> {
    return { ...this.#counts };
  }

  /** What stands between the login in the file and its next rotation. */
  get setback(): Setback | null {
    const { login } = this.#options.contents.ledger;
    if (login.kind !== 'chatgpt') return null;
    return this.#barOf(login) ?? this.#setbacks.of(login.refreshToken.fingerprint);
  }

  /** The account's lock is ours now: nobody else is in the way. */
  unlock(): void {
    this.#setbacks.relieve('locked_elsewhere');
  }

  /** Drops what other settings may put right. */
  forgive(): void {
    this.#setbacks.forgive();
  }

  /** Starts a rotation of the login in the file, or joins the one in flight. Never rejects. */
  start(): Promise<void> {
    const { pending, ledger } = this.#options.contents;
    const { login } = ledger;
    if (login.kind !== 'chatgpt') return Promise.resolve();
    if (this.#flight === null && this.#barOf(login) !== null) return Promise.resolve();
    this.#flight ??= this.#fly(login, pending).finally(() => {
      this.#flight = null;
      this.#isSending = false;
      this.#options.onChange();
    });
    return this.#flight;
  }

  /** Somebody may have sent this refresh token. Whether it is in doubt now: not where its answer is known. */
  admitUnknown(fingerprint: string): boolean {
    if (this.#options.contents.hasAnswer(fingerprint)) return false;
    this.#setbacks.suspect(fingerprint);
    return true;
  }

  /** Tokens have come, from the server or out of a journal: what became of the one that was spent for them is known. */
  receive(harvest: Harvest): void {
    this.#setbacks.settle(harvest.spent);
    this.#options.holdings.settle(harvest.spent);
    this.#options.contents.receive(harvest);
  }

  /**
   * Looks whose the login in the file is. What another account has spent is spent after a restart, too, and without that
   * account.
   */
  own(): void {
    const { account, holdings, contents } = this.#options;
    const { login } = contents.ledger;
    // One that is on its way is ours until it is known what became of it, wherever the file may be meanwhile.
    if (this.#flight !== null) return;
    if (login.kind !== 'chatgpt') {
      holdings.hold(account, null);
      return;
    }
    const { fingerprint } = login.refreshToken;
    const { accountId } = login.credential;
    holdings.hold(account, { fingerprint, accountId });
    const leaver = holdings.leaverOf(account, fingerprint);
    if (leaver !== null && !this.#setbacks.isDoubted(fingerprint)) {
      const detail = `the account \`${leaver}\` had the same login, and has gone on from it`;
      this.#suffer(login, setbackAfter({ kind: 'unknown', detail }, this.#context(login)));
      void contents.ledger.doubt(fingerprint);
    }
    if (this.#ownerBefore(login)?.hasSpent !== true) return;
    const isBuried = contents.ledger.epitaphAt(this.#options.endpoint().identity) !== null;
    if (!isBuried) void contents.burySpent(fingerprint);
  }

  /** Looks whether the login in the file is one of those: only now it is known for how long it can be served. */
  meet(): void {
    const { login } = this.#options.contents.ledger;
    if (login.kind !== 'chatgpt') return;
    if (!this.#setbacks.meet(login.refreshToken.fingerprint)) return;
    const detail = 'a rotation was cut short before its answer came';
    this.#suffer(login, setbackAfter({ kind: 'unknown', detail }, this.#context(login)));
  }

  /** `login` is what the rotation was decided for: if another one takes its place, nothing is sent. */
  async #fly(login: RotatingLogin, pending: Harvest | null): Promise<void> {
    // Not before `start` has noted the flight.
    await Promise.resolve();
    this.#options.onChange();
    const { requests } = this.#counts;
    try {
      const ports = this.#ports();
      const isFirst = pending === null;
      const { refreshToken } = login;
      const isDoubted = this.#setbacks.isDoubted(refreshToken.fingerprint);
      const result = isFirst
        ? await rotate(refreshToken, isDoubted, ports)
        : await storeHarvest(pending, ports);
      this.#options.lookout.outdate();
      await this.#conclude(result, login, pending, ports.endpoint.identity);
    } catch (error) {
      this.#options.log.error({ account: this.#options.account, err: error }, 'unexpected error');
      const detail = describeError(error);
      const context = this.#context(login);
      // What was sent may have been spent, whatever went wrong afterwards.
      const isSent = this.#counts.requests > requests;
      if (isSent) this.#suffer(login, setbackAfter({ kind: 'unknown', detail }, context));
      else this.#suffer(login, setback({ reason: 'internal_error', detail }, context));
    }
  }

  /** What must never be forgotten is written down before the journal is cleared, which told it until now. */
  async #conclude(
    result: RotationResult,
    login: RotatingLogin,
    pending: Harvest | null,
    endpoint: string,
  ): Promise<void> {
    const { contents, lookout } = this.#options;
    const spent = pending?.spent ?? login.refreshToken.fingerprint;
    switch (result.kind) {
      case 'stored':
        await this.#concludeStored(login, spent, pending === null);
        return;
      case 'overtaken': {
        const { harvest } = result;
        // The journal stays: the file may come back to wait for what is in it, or be away for a while only.
        if (harvest !== null && isRotation(harvest)) await contents.burySpent(spent);
        await lookout.look();
        return;
      }
      case 'not_stored': {
        const trouble: Trouble = { reason: 'not_stored', detail: result.detail };
        await lookout.look();
        const { login: now } = contents.ledger;
        const isWaiting = contents.pending !== null || now.kind !== 'chatgpt';
        // Another login that has come meanwhile is none the worse for it.
        const isAnother = !isWaiting && now.refreshToken.fingerprint !== spent;
        this.#suffer(isAnother ? login : now, setback(trouble, this.#context(login)));
        return;
      }
      case 'failed': {
        const { outcome } = result;
        this.#counts.failures += 1;
        this.#suffer(login, setbackAfter(outcome, this.#context(login)));
        if (outcome.kind === 'rejected') {
          const { detail } = outcome;
          const dead: DeadToken = { fingerprint: spent, reason: 'refresh_token_rejected', detail, endpoint };
          const isBuried = await contents.bury(dead);
          if (isBuried && (await this.#isDoubtTold(spent))) await this.#clearJournal(spent);
        } else if (outcome.kind === 'retry' && !this.#setbacks.isDoubted(spent))
          await this.#clearJournal(spent);
        await lookout.look();
        return;
      }
      case 'blocked':
        this.#suffer(login, setback(result.trouble, this.#context(login)));
    }
  }

  /** A rotation that brought no longer life is a failure too, so that it is not repeated at once. */
  async #concludeStored(login: RotatingLogin, spent: string, isFirst: boolean): Promise<void> {
    const { contents, lookout, time } = this.#options;
    const context = this.#context(login);
    this.#counts.own += 1;
    const harvest = contents.markStored(spent);
    const isRecorded = harvest === null || (await this.#record(harvest));
    await lookout.look();
    if (isRecorded) await this.#clearJournal(spent);
    const { login: now, published } = contents.ledger;
    for (const each of [login, now]) {
      if (each.kind !== 'chatgpt') continue;
      const { fingerprint } = each.refreshToken;
      // What is only put back into the file may have been sent before, without an answer.
      if (isFirst || !this.#setbacks.isDoubted(fingerprint)) this.#setbacks.clear(fingerprint);
    }
    const access = harvest?.tokens.accessToken ?? null;
    const isNew = access !== null && !(isFirst && access.equals(login.credential.accessToken));
    const isExpired = (published?.expiresAtMs ?? Infinity) <= time.now();
    if (isNew && !isExpired) return;
    this.#counts.failures += 1;
    this.#suffer(now, setback(isNew ? ISSUED_EXPIRED : NOTHING_NEW, context));
  }

  /** Writes down what became of the token that was spent. Resolves to whether that outlives this process. */
  #record(harvest: Harvest): Promise<boolean> {
    const { contents } = this.#options;
    if (isRotation(harvest)) return contents.burySpent(harvest.spent);
    // Of a server that gives no new one it is alive, and known to be.
    return contents.ledger.trust(harvest.spent);
  }

  /**
   * Whether all who come hear of a doubt about this token, if there is one, without its journal: what one endpoint said of it
   * need not be what an earlier one did with it.
   */
  async #isDoubtTold(spent: string): Promise<boolean> {
    if (!this.#setbacks.isDoubted(spent)) return true;
    const { contents, journal } = this.#options;
    return (await contents.ledger.doubt(spent)) && !journal.isShared;
  }

  /** Why the login in the file must not be rotated, whoever asks for it. Tokens that have come for it are stored all the same. */
  #barOf(login: RotatingLogin): Setback | null {
    const { contents, endpoint } = this.#options;
    if (contents.pending !== null) return null;
    // What a rotation in flight has spent is buried before what it got instead is in the books.
    const epitaph = this.#flight === null ? contents.ledger.epitaphAt(endpoint().identity) : null;
    if (epitaph !== null) return hopeless(epitaph);
    const owner = this.#ownerBefore(login);
    if (owner === null) return null;
    const detail = `auth.json holds the login of the account \`${owner.account}\` as well`;
    return hopeless({ reason: 'shared_login', detail });
  }

  #ownerBefore({ refreshToken }: RotatingLogin): Owner | null {
    const { account, holdings } = this.#options;
    return holdings.ownerBefore(account, refreshToken.fingerprint);
  }

  async #clearJournal(spent: string): Promise<void> {
    const { account, contents, journal, log } = this.#options;
    // Another daemon's answer to the same token is in one of them, and nowhere else yet.
    if (contents.hasSuccessor(spent)) return;
    try {
      await journal.clear(spent);
    } catch (error) {
      log.warn({ account, err: error }, 'the journal cannot be removed');
    }
  }

  #suffer(login: Login, next: Setback): void {
    // A rejection is in the books: there it holds for the endpoint that it came from.
    if (login.kind === 'chatgpt' && next.retryAtMs !== null) {
      this.#setbacks.suffer(login.refreshToken.fingerprint, next, this.#context(login));
    }
    const { account, log } = this.#options;
    const { reason, detail } = next.trouble;
    const hint = next.trouble.hint ?? REASONS[reason].hint;
    const retryAt = next.retryAtMs === null ? null : new Date(next.retryAtMs).toISOString();
    log.warn({ account, reason, detail, hint, retry_at: retryAt }, 'rotation failed');
  }

  #ports(): RotationPorts {
    const { endpoint, time } = this.#options;
    const onLeave = (): void => {
      this.#isSending = true;
      this.#counts.requests += 1;
    };
    return {
      ...this.#options,
      clock: time,
      endpoint: attend(endpoint(), time, onLeave),
      onHarvest: (harvest) => {
        this.receive(harvest);
      },
      onDoubt: (fingerprint) => this.admitUnknown(fingerprint),
      onDead: (token) => this.#options.contents.bury(token),
    };
  }

  #context(login: RotatingLogin): SetbackContext {
    const { time, policy, random } = this.#options;
    return {
      previous: this.#setbacks.of(login.refreshToken.fingerprint),
      nowMs: time.now(),
      expiresAtMs: login.credential.expiresAtMs,
      policy: policy(),
      random,
    };
  }
}

/** Trying again is pointless. */
function hopeless(trouble: Trouble): Setback {
  return { trouble, retryAtMs: null, failures: 0 };
}

const NOTHING_NEW: Trouble = {
  reason: 'no_access_token',
  detail: 'the token endpoint gave no new access token',
};

const ISSUED_EXPIRED: Trouble = {
  reason: 'issued_expired',
  detail: 'the token endpoint gave an access token that has already expired',
};
