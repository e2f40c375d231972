import type { Setback } from '../core/setback.js';
import type { Clock } from '../os/clock.js';

const REMEMBERED = 16;

const IN_DOUBT: Setback['trouble'] = {
  reason: 'outcome_unknown',
  detail: 'the refresh token was sent before, and it is not known what became of it',
};

/** A setback, and when it was suffered by both clocks. */
interface Suffered {
  readonly setback: Setback;
  readonly atMs: number;
  readonly steadyMs: number;
}

/**
 * What stands between a login and its next rotation, by the fingerprint of its refresh token: another login starts
 * afresh, and one that comes back meets what it had met before.
 */
export class Setbacks {
  readonly #clock: Clock;
  readonly #byToken = new Map<string, Suffered>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(fingerprint: string): Setback | null {
    const suffered = this.#byToken.get(fingerprint);
    return suffered === undefined ? null : asOfNow(suffered, this.#clock);
  }

  set(fingerprint: string, setback: Setback): void {
    const atMs = this.#clock.now();
    const steadyMs = this.#clock.monotonicMs();
    this.#byToken.delete(fingerprint);
    this.#byToken.set(fingerprint, { setback, atMs, steadyMs });
    const [oldest] = this.#byToken.keys();
    if (this.#byToken.size > REMEMBERED && oldest !== undefined) this.#byToken.delete(oldest);
  }

  clear(fingerprint: string): void {
    this.#byToken.delete(fingerprint);
  }

  /** Drops what has been put right; a token that may be spent stays one. */
  relieve(reason: Setback['trouble']['reason']): void {
    for (const [fingerprint, suffered] of this.#byToken) {
      const { setback } = suffered;
      if (setback.trouble.reason !== reason) continue;
      if (setback.onRejectionAtMs === undefined) this.#byToken.delete(fingerprint);
      else this.#byToken.set(fingerprint, { ...suffered, setback: { ...setback, trouble: IN_DOUBT } });
    }
  }

  /** Drops what other settings may put right; a token that may be spent stays one. */
  forgive(): void {
    for (const [fingerprint, { setback }] of this.#byToken) {
      if (setback.onRejectionAtMs === undefined) this.#byToken.delete(fingerprint);
    }
  }
}

/** A clock that was ahead, and is corrected since, does not make the pause longer. The expiry of a token stays when it is. */
function asOfNow({ setback, atMs, steadyMs }: Suffered, clock: Clock): Setback {
  const pauseEndMs = setback.onRejectionAtMs ?? setback.retryAtMs;
  if (pauseEndMs === null) return setback;
  const leftMs = Math.max(0, pauseEndMs - atMs - (clock.monotonicMs() - steadyMs));
  const endMs = clock.now() + leftMs;
  if (endMs >= pauseEndMs) return setback;
  if (setback.onRejectionAtMs === undefined) return { ...setback, retryAtMs: endMs };
  const retryAtMs = setback.retryAtMs === pauseEndMs ? endMs : setback.retryAtMs;
  return { ...setback, retryAtMs, onRejectionAtMs: endMs };
}
