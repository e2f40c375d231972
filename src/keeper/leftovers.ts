import { readClaims } from '../core/claims.js';
import { describeError } from '../errors.js';
import type { Contents } from './contents.js';
import { accountOf, isRotation, type Harvest } from './harvest.js';
import type { AuthFilePort, JournalPort, LogPort } from './ports.js';
import { recover, type Recovery } from './recover.js';
import type { ServerTime } from './server-time.js';

const LOOK_MS = 3600 * 1000;

/**
 * What waits in the journal is for a login that is away: its file may come back out of a backup, or because somebody who
 * uses several accounts switches back to it. After a month it is dropped all the same: its access token has expired long since (facts 1.5), nobody has missed the login,
 * and a logout should not leave a live refresh token on the disk for ever. The token that was spent for it stays
 * buried, so that a file from a backup still older asks for a login instead of ending a family by reuse.
 */
const LONGEST_WAIT_MS = 30 * 24 * LOOK_MS;

/** A clock that says less was never set: a machine without one of its own that lasts begins in 1970. */
const OLDEST_CREDIBLE_MS = Date.parse('2026-01-01T00:00:00Z');

export interface LeftoversOptions {
  readonly account: string;
  readonly authFile: Pick<AuthFilePort, 'confirm' | 'read'>;
  readonly journal: JournalPort;
  readonly contents: Contents;
  readonly time: ServerTime;
  readonly log: LogPort;
  /** False while a journal may be at work, be another daemon's, or hold what has not been taken up. */
  readonly isQuiet: () => boolean;
  /** Told of tokens for which the file has been waiting, and nobody knew of them. */
  readonly onAnswer: (harvest: Harvest) => void;
}

/** The journals of rotations that are over, and of which the file has not got what they brought. */
export class Leftovers {
  readonly #options: LeftoversOptions;
  #lookedAtMs = -Infinity;
  /** When they were first seen here, by the steady clock and by what was spent for them. */
  readonly #seenAtMs = new Map<string, number>();

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** The login has changed: what waited for another one may be dropped now. */
  outdate(): void {
    this.#lookedAtMs = -Infinity;
  }

  /** Drops what nobody waits for, or for too long; looks after `outdate`, and once an hour. Never rejects. */
  async sweep(): Promise<void> {
    const { account, isQuiet, journal, time, log } = this.#options;
    if (!isQuiet() || this.#isBlind()) return;
    if (time.monotonicMs() - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = time.monotonicMs();
    try {
      await journal.sweep().catch(() => undefined);
      for (const left of await recover(journal, time.now())) {
        const { spent } = left;
        if (this.#isBlind()) return;
        if (this.#takeUp(left) || !left.isOwn || this.#isWanted(left)) continue;
        const isOld = this.#ageMs(left) > LONGEST_WAIT_MS;
        if (!isOld && !this.#isOver(left)) continue;
        if (!(await this.#drop(left))) continue;
        log.info(
          { account, spent },
          'dropped what a rotation had left for a login that is not there any more',
        );
      }
    } catch (error) {
      log.warn({ account, reason: describeError(error) }, 'the journal cannot be read');
    }
  }

  /** Whether nobody can read the file of this moment, which may wait for something. */
  #isBlind(): boolean {
    return this.#options.contents.isBlind;
  }

  /** How long it has waited at least: by the server's clock too, where its tokens tell it; by our own eyes else. */
  #ageMs(left: Recovery): number {
    const { time } = this.#options;
    const nowMs = time.now();
    const steadyMs = time.monotonicMs();
    const seenAtMs = this.#seenAtMs.get(left.spent) ?? steadyMs;
    this.#seenAtMs.set(left.spent, seenAtMs);
    const beganAtMs = Math.max(left.startedAtMs, issuedAtMs(left) ?? 0);
    const isCredible = beganAtMs >= OLDEST_CREDIBLE_MS && beganAtMs <= nowMs;
    return isCredible ? nowMs - beganAtMs : steadyMs - seenAtMs;
  }

  /**
   * Whether it is gone. The record comes first: until it is written, the journal tells that the token is spent, or may be. So
   * does what it gives way to, another login or none: a loss of power could undo that, and this one would be wanted again.
   */
  async #drop(left: Recovery): Promise<boolean> {
    const { account, authFile, journal, contents, isQuiet, log } = this.#options;
    const { spent } = left;
    // Of what it was decided on.
    const { stamp } = contents;
    if (!isQuiet() || !(await this.#remember(left))) return false;
    try {
      await authFile.confirm();
      // Somebody may have put its own file back meanwhile, whether this daemon has seen that or not, and can read it or not.
      const reading = await authFile.read();
      const isUnchanged = reading.kind !== 'unsettled' && reading.stamp === stamp && contents.stamp === stamp;
      if (!isUnchanged || !isQuiet()) return false;
      contents.forget(spent);
      await journal.clear(spent);
      return true;
    } catch (error) {
      log.warn({ account, err: error }, 'what a rotation has left cannot be dropped yet');
      return false;
    }
  }

  async #remember(left: Recovery): Promise<boolean> {
    const { contents } = this.#options;
    if (left.kind === 'unknown') return contents.ledger.doubt(left.spent);
    return !isRotation(left.harvest) || contents.burySpent(left.spent);
  }

  /**
   * Whether the file waits for an answer that nobody knew of. A daemon that had the lock before, and was stopped while it
   * had its request under way, has got it after all.
   */
  #takeUp(left: Recovery): boolean {
    const { account, contents, onAnswer, log } = this.#options;
    if (left.kind !== 'harvest' || !isRotation(left.harvest)) return false;
    if (contents.pending !== null || !this.#isInFile(left.spent)) return false;
    onAnswer(left.harvest);
    log.info({ account, spent: left.spent }, 'found the answer to a request of a daemon before this one');
    return true;
  }

  /**
   * Whether another login is there for good. That of another account is there until somebody switches back: tokens that
   * came for the first one wait for it. One of the same account that is newer was made in its place; an older one came out
   * of a backup, and the right one may follow.
   */
  #isOver(left: Recovery): boolean {
    const { ledger } = this.#options.contents;
    const { login } = ledger;
    if (login.kind === 'none') return false;
    // What tells only of a doubt is told by the record from now on, to those who read it.
    if (left.kind === 'unknown') return !this.#options.journal.isShared;
    // The refresh token that is in the first one's file lives: there are more where these came from.
    if (!isRotation(left.harvest)) return true;
    const accountId = accountOf(left.harvest);
    if (accountId === null || accountId !== login.credential.accountId) return false;
    if (login.kind === 'chatgpt' && ledger.isSpent(login.refreshToken.fingerprint)) return false;
    const [theirs, ours] = [login.credential.issuedAtMs, issuedAtMs(left)];
    return theirs === null || ours === null || theirs >= ours;
  }

  /** Whether the file of this moment has something to do with it. */
  #isWanted(left: Recovery): boolean {
    const { spent } = left;
    if (this.#options.contents.pending?.spent === spent) return true;
    // What a server without rotation has brought for the token in the file may be older than what is there.
    return (left.kind === 'unknown' || isRotation(left.harvest)) && this.#isInFile(spent);
  }

  #isInFile(fingerprint: string): boolean {
    const { login } = this.#options.contents.ledger;
    return login.kind === 'chatgpt' && login.refreshToken.fingerprint === fingerprint;
  }
}

function issuedAtMs(left: Recovery): number | null {
  const access = left.kind === 'harvest' ? left.harvest.tokens.accessToken : null;
  return access === null ? null : readClaims(access.reveal()).issuedAtMs;
}
