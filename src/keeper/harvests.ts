import type { Login } from '../core/login.js';
import type { TokenSet } from '../core/outcome.js';
import { accountOf, hasSpent, isOurs, isRotation, isWanting, type Harvest } from './harvest.js';

const REMEMBERED = 16;

/** The tokens that the server handed out lately, by the fingerprint of the refresh token that was spent for them. */
export class Harvests {
  readonly #bySpent = new Map<string, Harvest>();

  add(harvest: Harvest): void {
    this.#bySpent.delete(harvest.spent);
    this.#retireReissued(harvest);
    this.#bySpent.set(harvest.spent, harvest);
    if (this.#bySpent.size <= REMEMBERED) return;
    const forgettable = [...this.#bySpent.values()].find(({ isStored }) => isStored);
    if (forgettable !== undefined) this.#bySpent.delete(forgettable.spent);
  }

  forget(spent: string): void {
    this.#bySpent.delete(spent);
  }

  /** Whether there are some for this refresh token, with a new one among them or not. */
  has(spent: string): boolean {
    return this.#bySpent.has(spent);
  }

  /** Whether there are some for this refresh token that have not been in auth.json, and a new refresh token among them. */
  hasUnstored(spent: string): boolean {
    const harvest = this.#bySpent.get(spent);
    return harvest !== undefined && !harvest.isStored && isRotation(harvest);
  }

  /** Whether some of them are nowhere but here. */
  get isUnsaved(): boolean {
    return this.#find(({ isDurable, isStored }) => !isDurable && !isStored) !== null;
  }

  /** From now on its only copy on the disk is in auth.json: its journal goes. */
  markStored(spent: string): Harvest | null {
    const harvest = this.#bySpent.get(spent);
    if (harvest === undefined) return null;
    const stored = { ...harvest, isStored: true, isDurable: false };
    this.#bySpent.set(spent, stored);
    return stored;
  }

  /**
   * The harvest that a file with this login waits for. Of two journals that are left the one may have brought the token that
   * the other spent: then the way goes on.
   */
  wantedBy(login: Login): Harvest | null {
    const next = this.#find((harvest) => isWanting(harvest, login) && hasSpent(harvest, login));
    if (next !== null) return this.#withSuccessors(next);
    return this.#find((harvest) => isWanting(harvest, login));
  }

  /** Whether a login is one that we put into the file. */
  hasWritten(login: Login): boolean {
    return this.#find((harvest) => isOurs(harvest, login)) !== null;
  }

  /**
   * Somebody else went on from what we stored for this account: putting it back would put back a token that is spent by now.
   * That of another account may come back as it was.
   */
  retireStored(accountId: string | null): void {
    for (const harvest of this.#bySpent.values()) {
      const of = accountOf(harvest);
      const isOther = of !== null && accountId !== null && of !== accountId;
      if (harvest.isStored && !isOther) this.#bySpent.delete(harvest.spent);
    }
  }

  /** What a token brought that a server gives out anew is over: else the two would replace each other without end. */
  #retireReissued({ tokens, startedAtMs }: Harvest): void {
    const earlier = this.#bySpent.get(tokens.refreshToken?.fingerprint ?? '');
    if (earlier?.isStored === true && earlier.startedAtMs < startedAtMs) this.#bySpent.delete(earlier.spent);
  }

  /**
   * Where a file came back that is older by several rotations, it is mended in one step: those on the way have spent tokens
   * too, and after a kill on the way nobody would have the newest.
   */
  #withSuccessors(first: Harvest): Harvest {
    let last = first;
    for (let step = 0; step < REMEMBERED; step += 1) {
      const spent = last.tokens.refreshToken?.fingerprint;
      const next = spent === undefined ? undefined : this.#bySpent.get(spent);
      if (next === undefined || !last.isStored || !next.isStored || !isRotation(next)) break;
      last = { ...next, spent: first.spent, tokens: withNewer(last.tokens, next.tokens) };
    }
    return last;
  }

  #find(matches: (harvest: Harvest) => boolean): Harvest | null {
    return [...this.#bySpent.values()].findLast(matches) ?? null;
  }
}

function withNewer(older: TokenSet, newer: TokenSet): TokenSet {
  return {
    accessToken: newer.accessToken ?? older.accessToken,
    refreshToken: newer.refreshToken ?? older.refreshToken,
    idToken: newer.idToken ?? older.idToken,
  };
}
