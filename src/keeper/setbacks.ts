import type { Setback } from '../core/setback.js';

const REMEMBERED = 16;

/**
 * What stands between a login and its next rotation, by the fingerprint of its refresh token: another login starts
 * afresh, and one that comes back meets what it had met before.
 */
export class Setbacks {
  readonly #byToken = new Map<string, Setback>();

  of(fingerprint: string): Setback | null {
    return this.#byToken.get(fingerprint) ?? null;
  }

  set(fingerprint: string, setback: Setback): void {
    this.#byToken.delete(fingerprint);
    this.#byToken.set(fingerprint, setback);
    const [oldest] = this.#byToken.keys();
    if (this.#byToken.size > REMEMBERED && oldest !== undefined) this.#byToken.delete(oldest);
  }

  clear(fingerprint: string): void {
    this.#byToken.delete(fingerprint);
  }

  /** Drops what has been put right. */
  relieve(reason: Setback['trouble']['reason']): void {
    for (const [fingerprint, { trouble }] of this.#byToken) {
      if (trouble.reason === reason) this.#byToken.delete(fingerprint);
    }
  }

  /** Drops what other settings may put right; a token that may be spent stays one. */
  forgive(): void {
    for (const [fingerprint, { trouble }] of this.#byToken) {
      if (trouble.reason !== 'outcome_unknown') this.#byToken.delete(fingerprint);
    }
  }
}
