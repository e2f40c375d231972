import type { Trouble } from '../core/state.js';
import { Turns } from '../core/turns.js';
import type { AuthdError } from '../errors.js';
import type { AccountLockPort } from './ports.js';

/**
 * The account's lock as its keeper sees it: whenever it is taken anew, what is left by whoever had it meanwhile is taken
 * up before anything else is done. One claim after the other.
 */
export class Claim implements AccountLockPort {
  readonly #lock: AccountLockPort;
  readonly #takeUp: () => Promise<void>;
  readonly #turns = new Turns();
  #isTakenUp = false;
  #takings = 0;
  #attempt: Promise<unknown> | null = null;

  constructor(lock: AccountLockPort, takeUp: () => Promise<void>) {
    this.#lock = lock;
    this.#takeUp = takeUp;
  }

  get held(): boolean {
    return this.#lock.held;
  }

  get tenure(): object | null {
    return this.#lock.tenure;
  }

  confirm(): Promise<boolean> {
    return this.#lock.confirm();
  }

  get refusal(): AuthdError | null {
    return this.#lock.refusal;
  }

  /** Another daemon that keeps this account: whoever asks this one should know it before the next rotation is due. */
  get trouble(): Trouble | null {
    const { refusal } = this;
    if (refusal?.code !== 'already_running') return null;
    return { reason: 'locked_elsewhere', detail: refusal.message };
  }

  /** Whether it is held, and everything that was left has been taken up. */
  get isSettled(): boolean {
    return this.#lock.held && this.#isTakenUp;
  }

  /** `taken` also for whoever asked before somebody else's claim was done: what he decided on is out of date. */
  ensure(): Promise<'held' | 'taken'> {
    const takings = this.#takings;
    return this.#turns.take(async () => {
      if ((await this.#lock.ensure()) === 'taken') this.#isTakenUp = false;
      if (!this.#isTakenUp) await this.#takeUpNow();
      return this.#takings === takings ? 'held' : 'taken';
    });
  }

  /** An attempt to take the lock that is under way. Never rejects. */
  get attempted(): Promise<unknown> | null {
    return this.#attempt;
  }

  /**
   * Takes the lock unless it is held; one attempt at a time, whoever asks. Resolves to why it cannot be taken, if that is not
   * what the last attempt met already.
   */
  attempt(): Promise<unknown> {
    const known = this.refusal?.message;
    this.#attempt ??= this.ensure()
      .then(
        () => null,
        (error: unknown) => (known !== undefined && known === this.refusal?.message ? null : error),
      )
      .finally(() => {
        this.#attempt = null;
      });
    return this.#attempt;
  }

  /** Takes up what could not be read before, if the lock is held. */
  goOn(): Promise<void> {
    return this.#turns.take(async () => {
      if (!this.#isTakenUp && this.#lock.held) await this.#takeUpNow();
    });
  }

  /** Takes up what is there, with the lock or without it. */
  open(): Promise<void> {
    return this.#turns.take(async () => {
      const { held } = this.#lock;
      await this.#takeUp();
      this.#isTakenUp = held;
    });
  }

  async #takeUpNow(): Promise<void> {
    await this.#takeUp();
    this.#isTakenUp = true;
    this.#takings += 1;
  }
}
