import { readClaims } from '../core/claims.js';
import {
  believableDate,
  offsetAfterJump,
  offsetFromDate,
  offsetFromIssue,
  type Lifespan,
} from '../core/clock-offset.js';
import { readOutcome, type Answer } from '../core/outcome.js';
import type { Secret } from '../core/secret.js';
import type { Clock } from '../os/clock.js';

/**
 * The time by which an account's tokens are judged: the machine's, corrected by what the server and its tokens tell of
 * it. Every instant that a keeper compares, stores or plans is one of this clock.
 *
 * Nothing of it outlives the process: a clock is mostly put right when a machine starts, and then what was learnt
 * before would make it wrong. The first answer tells it anew.
 */
export class ServerTime implements Clock {
  readonly #machine: Clock;
  #baseMs = 0;
  /** Whether it is by the server's own clock, and not by what jumps alone tell. */
  #isLearnt = false;
  /** By the credential of this moment, if that was issued later than it seems to be. */
  #issuedMs: number | null = null;
  #current: { readonly token: Secret; readonly claims: Lifespan } | null = null;
  /** What the wall clock showed beyond the monotonic one when it was last looked at. */
  #aheadMs: number;

  constructor(machine: Clock) {
    this.#machine = machine;
    this.#aheadMs = machine.now() - machine.monotonicMs();
  }

  now(): number {
    this.#noticeJump();
    return this.#machine.now() + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  after(delayMs: number, wake: () => void): () => void {
    return this.#machine.after(delayMs, wake);
  }

  /** How far this machine's clock is behind, in milliseconds; negative where it is ahead. */
  get offsetMs(): number {
    this.#noticeJump();
    return this.#offsetMs;
  }

  /** What this machine's clock will show at an instant: for those who have no other one. */
  toMachineTime(atMs: number): number {
    return atMs - this.offsetMs;
  }

  /** A request is about to be sent. What is returned is to be called with its answer, at once; it never throws. */
  timeRequest(): (answer: Answer) => void {
    this.#noticeJump();
    const sentAtMs = this.#machine.now();
    const startedMs = this.monotonicMs();
    return (answer) => {
      this.#noticeJump();
      const receivedAtMs = this.#machine.now();
      // A clock that was set back meanwhile showed less when the request was sent, by its new setting.
      const earliestMs = Math.min(sentAtMs, receivedAtMs - (this.monotonicMs() - startedMs));
      if (answer.kind === 'answered') this.#learn(answer, earliestMs, receivedAtMs);
    };
  }

  /**
   * This is the access token of now. Somebody was given it, so it has been issued. What it tells holds until there is
   * another one: a nonsense in it ends with it.
   */
  witness(accessToken: Secret): void {
    if (accessToken.equals(this.#current?.token)) return;
    this.#noticeJump();
    const claims = readClaims(accessToken.reveal());
    this.#current = { token: accessToken, claims };
    this.#issuedMs = offsetFromIssue(claims, this.#machine.now(), this.#isLearnt ? this.#baseMs : null);
  }

  #learn(answer: Extract<Answer, { kind: 'answered' }>, sentAtMs: number, receivedAtMs: number): void {
    const outcome = readOutcome(answer, receivedAtMs);
    const issued = outcome.kind === 'rotated' ? outcome.tokens.accessToken : null;
    const dateMs = believableDate(
      answer.date,
      issued === null ? null : readClaims(issued.reveal()),
      this.#current?.claims ?? null,
    );
    if (dateMs === null) return;
    const dated = { dateMs, sentAtMs, receivedAtMs };
    this.#baseMs = offsetFromDate(dated, this.#offsetMs, this.#isLearnt);
    this.#isLearnt = true;
    this.#issuedMs = null;
  }

  get #offsetMs(): number {
    return Math.max(this.#baseMs, this.#issuedMs ?? -Infinity);
  }

  #noticeJump(): void {
    const aheadMs = this.#machine.now() - this.#machine.monotonicMs();
    const jumpMs = aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    this.#baseMs = offsetAfterJump(this.#baseMs, jumpMs);
    if (this.#issuedMs !== null) this.#issuedMs = offsetAfterJump(this.#issuedMs, jumpMs);
  }
}
