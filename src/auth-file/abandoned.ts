import type { Clock } from '../os/clock.js';

const DAY_MS = 24 * 3600 * 1000;
/** An account that nobody has kept for so long is not coming back: as long as a login that is away is waited for. */
const ABANDONED_MS = 30 * DAY_MS;
/** Whoever keeps an account reads its journals every hour. Longer than that: our clock may be ahead of what is true. */
const OBSERVED_MS = 3 * 3600 * 1000;
/** A journal that its account still reads says so by its time, once a day. */
const RENEWED_MS = DAY_MS;

/** Tells which of the journals that were written under other names belong to accounts that nobody keeps any more. */
export class Abandoned {
  readonly #clock: Clock;
  /** What was last seen of each, and since when by the steady clock. */
  readonly #seen = new Map<string, { readonly modifiedAtMs: number; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether nobody has read it under its own name for 30 days, and not before our eyes either. */
  has(path: string, modifiedAtMs: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#seen.get(path);
    if (seen?.modifiedAtMs !== modifiedAtMs) {
      this.#seen.set(path, { modifiedAtMs, sinceMs: nowMs });
      return false;
    }
    return this.#clock.now() - modifiedAtMs > ABANDONED_MS && nowMs - seen.sinceMs >= OBSERVED_MS;
  }

  /** Whether one of our own should say again that it is read. */
  isDue(modifiedAtMs: number): boolean {
    return this.#clock.now() - modifiedAtMs > RENEWED_MS;
  }
}
