import type { HeldLogin, HoldingsPort, Owner } from './ports.js';

/** So many spent tokens are remembered: more than any accounts spend while an old copy of a home is still of interest. */
const REMEMBERED = 4096;

/**
 * Which account of this daemon has which refresh token. A home that was copied has the login of another one, and two keepers
 * that each know of themselves alone would spend the same token: a strict server then ends the login for both (facts 2.3).
 */
export class Holdings implements HoldingsPort {
  /** In the order in which they were got. */
  readonly #held = new Map<string, HeldLogin>();
  /** Who spent it, by the token. */
  readonly #spent = new Map<string, string>();
  /** Who went on from a token that others hold as well, by the token. */
  readonly #left = new Map<string, string>();

  hold(account: string, login: HeldLogin | null): void {
    const before = this.#held.get(account);
    if (before?.fingerprint === login?.fingerprint) return;
    if (before !== undefined && login !== null) this.#noteLeaving(account, before, login);
    this.#held.delete(account);
    if (login !== null) this.#held.set(account, login);
  }

  /**
   * Whether it was rotated or somebody has logged in anew, its successor does not tell: in the first case the token is spent.
   * Another account's login has nothing to do with it.
   */
  #noteLeaving(account: string, { fingerprint, accountId }: HeldLogin, next: HeldLogin): void {
    if (this.#spent.has(fingerprint) || accountId === null || accountId !== next.accountId) return;
    const isShared = [...this.#held.values()].filter((held) => held.fingerprint === fingerprint).length > 1;
    if (isShared) this.#left.set(fingerprint, account);
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
    const [first] = [...this.#held].find(([, held]) => held.fingerprint === fingerprint) ?? [account];
    return first === account ? null : { account: first, hasSpent: false };
  }

  settle(fingerprint: string): void {
    this.#left.delete(fingerprint);
  }

  leaverOf(account: string, fingerprint: string): string | null {
    const leaver = this.#left.get(fingerprint);
    return leaver === undefined || leaver === account ? null : leaver;
  }
}
