import { AuthdError } from '../errors.js';

/** Lets one request through in each interval. */
export class RateLimit {
  readonly #intervalMs: () => number;
  #lastAtMs: number | null = null;

  constructor(intervalMs: () => number) {
    this.#intervalMs = intervalMs;
  }

  /** @throws AuthdError `rate_limited` if the last one was too short a while ago */
  take(nowMs: number): void {
    const freeAtMs = (this.#lastAtMs ?? -Infinity) + this.#intervalMs();
    // A clock that was set back must not lock people out.
    const isClockSetBack = this.#lastAtMs !== null && nowMs < this.#lastAtMs;
    if (nowMs < freeAtMs && !isClockSetBack) {
      const seconds = Math.ceil(this.#intervalMs() / 1000);
      throw new AuthdError('rate_limited', `refreshed less than ${String(seconds)} s ago`, {
        hint: 'use the current credential, or ask again a little later',
        retryAtMs: freeAtMs,
      });
    }
    this.#lastAtMs = nowMs;
  }
}
