import type { HoldingsPort, Owner } from './ports.js';

/** So many spent tokens are remembered: more than any accounts spend while an old copy of a home is still of interest. */
const REMEMBERED = 4096;

/**
 * Which account of this daemon has which refresh token. A home that was copied has the login of another one, and two keepers
 * that each know of themselves alone would spend the same token: a strict server then ends the login for both (facts 2.3).
 */
export class Holdings implements HoldingsPort {
  /** In the order in which they were got. */
  readonly #held = new Map<string, string>();
  /** Who spent it, by the token. */
  readonly #spent = new Map<string, string>();

  hold(account: string, fingerprint: string | null): void {
    if (this.#held.get(account) === fingerprint) return;
    this.#held.delete(account);
    if (fingerprint !== null) this.#held.set(account, fingerprint);
  }

  spend(account: string, fingerprint: string): void {
    if (this.#spent.has(fingerprint)) return;
    this.#spent.set(fingerprint, account);
    const [oldest] = this.#spent.keys();
    if (this.#spent.size > REMEMBERED && oldest !== undefined) this.#spent.delete(oldest);
  }

  ownerBefore(account: string, fingerprint: string): Owner | null {
    const spender = this.#spent.get(fingerprint);
    if (spender !== undefined && spender !== account) return { account: spender, hasSpent: true };
    const [first] = [...this.#held].find(([, held]) => held === fingerprint) ?? [account];
    return first === account ? null : { account: first, hasSpent: false };
  }
}
