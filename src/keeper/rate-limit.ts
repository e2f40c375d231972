import type { ServerTime } from './server-time.js';

/** Lets one thing happen in each interval. */
export class RateLimit {
  readonly #intervalMs: () => number;
  #lastAtMs: number | null = null;

  constructor(intervalMs: () => number) {
    this.#intervalMs = intervalMs;
  }

  /** How long to wait still; 0 if it may happen now. */
  leftMs(time: ServerTime): number {
    return Math.max((this.#lastAtMs ?? -Infinity) + this.#intervalMs() - time.monotonicMs(), 0);
  }

  /** It happens now. */
  spend(time: ServerTime): void {
    this.#lastAtMs = time.monotonicMs();
  }

  /** It did not happen after all. */
  refund(): void {
    this.#lastAtMs = null;
  }
}
