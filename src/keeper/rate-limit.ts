import { AuthdError } from '../errors.js';
import type { ServerTime } from './server-time.js';

/** Lets one request through in each interval. */
export class RateLimit {
  readonly #intervalMs: () => number;
  #lastAtMs: number | null = null;

  constructor(intervalMs: () => number) {
    this.#intervalMs = intervalMs;
  }

  /** @throws AuthdError `rate_limited` if the last one was too short a while ago */
  take(time: ServerTime): void {
    const nowMs = time.monotonicMs();
    const leftMs = (this.#lastAtMs ?? -Infinity) + this.#intervalMs() - nowMs;
    if (leftMs > 0) {
      const seconds = Math.ceil(this.#intervalMs() / 1000);
      throw new AuthdError('rate_limited', `refreshed less than ${String(seconds)} s ago`, {
        hint: 'use the current credential, or ask again a little later',
        retryAtMs: time.toMachineTime(time.now() + leftMs),
      });
    }
    this.#lastAtMs = nowMs;
  }
}
