import { inDoubt, type Setback, type SetbackContext } from '../core/setback.js';
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
  /** Tokens that somebody may have sent, before it is known for how long their login can be served. */
  readonly #suspected = new Set<string>();
  /** Tokens that were sent once, and may have been spent: what became of a later sending says nothing of the first. */
  readonly #doubted = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(fingerprint: string): Setback | null {
    const suffered = this.#byToken.get(fingerprint);
    return suffered === undefined ? null : asOfNow(suffered, this.#clock);
  }

  /** A sending before may have spent this token, and what became of that is not known. */
  isDoubted(fingerprint: string): boolean {
    return this.#doubted.has(fingerprint);
  }

  /** Somebody may have sent this token. Nothing stands in its way before it is met. */
  suspect(fingerprint: string): void {
    this.#suspected.add(fingerprint);
  }

  /** The token is in the file now. Whether it was suspected, and nothing better is known of it. */
  meet(fingerprint: string): boolean {
    if (!this.#suspected.delete(fingerprint)) return false;
    // What we know ourselves of our own request tells more: the server may have asked for patience since.
    return !this.#doubted.has(fingerprint) || !this.#byToken.has(fingerprint);
  }

  suffer(fingerprint: string, next: Setback, context: SetbackContext): void {
    if (next.trouble.reason === 'outcome_unknown') this.#doubted.add(fingerprint);
    const setback = this.isDoubted(fingerprint) ? inDoubt(next, context) : next;
    const atMs = this.#clock.now();
    const steadyMs = this.#clock.monotonicMs();
    this.#byToken.delete(fingerprint);
    this.#byToken.set(fingerprint, { setback, atMs, steadyMs });
    if (this.#byToken.size > REMEMBERED) this.#forgetOldestBut(fingerprint);
  }

  /** One that may be spent is never forgotten. */
  #forgetOldestBut(newest: string): void {
    const forgettable = [...this.#byToken.keys()].find(
      (fingerprint) => fingerprint !== newest && !this.isDoubted(fingerprint),
    );
    if (forgettable !== undefined) this.clear(forgettable);
  }

  /** It is known what became of this token: what was put off because of a doubt is not any more. */
  settle(fingerprint: string): void {
    this.#suspected.delete(fingerprint);
    this.#doubted.delete(fingerprint);
    if (this.#byToken.get(fingerprint)?.setback.onRejectionAtMs !== undefined) this.clear(fingerprint);
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
