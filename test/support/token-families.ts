import { makeLoginTokens, type LoginTokens } from './login-file.js';
import type { TokenClaims } from './tokens.js';

/** What became of an attempt to spend a refresh token. */
export type Spending =
  | { readonly kind: 'issued'; readonly tokens: LoginTokens }
  | { readonly kind: 'refused'; readonly code: RefusalCode };

export type RefusalCode = 'refresh_token_reused' | 'refresh_token_invalidated' | 'refresh_token_expired';

interface Family {
  readonly claims: TokenClaims;
  state: 'alive' | 'revoked' | 'expired';
}

/**
 * The refresh tokens of a strict server: each works once; one that is used again ends its whole family, that is,
 * everything that came out of the same login (facts 2.3, 2.4). No grace period (facts 2.5).
 */
export class TokenFamilies {
  readonly #families = new Map<string, Family>();
  readonly #spent = new Set<string>();
  readonly #access = new Map<string, { readonly family: Family; readonly expiresAtMs: number }>();

  /** A new login: a family of its own. */
  begin(nowMs: number, lifetimeSeconds: number, claims: TokenClaims): LoginTokens {
    const family: Family = { claims, state: 'alive' };
    return this.#issue(family, nowMs, lifetimeSeconds);
  }

  /** `keep` leaves the refresh token alive: the answer holds the same one. */
  spend(refreshToken: string, nowMs: number, lifetimeSeconds: number, keep: boolean): Spending {
    const family = this.#families.get(refreshToken);
    if (family === undefined) return { kind: 'refused', code: 'refresh_token_invalidated' };
    if (family.state === 'expired') return { kind: 'refused', code: 'refresh_token_expired' };
    if (family.state === 'revoked') return { kind: 'refused', code: 'refresh_token_invalidated' };
    if (this.#spent.has(refreshToken)) {
      family.state = 'revoked';
      return { kind: 'refused', code: 'refresh_token_reused' };
    }
    if (!keep) this.#spent.add(refreshToken);
    return {
      kind: 'issued',
      tokens: this.#issue(family, nowMs, lifetimeSeconds, keep ? refreshToken : undefined),
    };
  }

  /** Ends a family from the server's side; its access tokens go on working (facts 1.5). */
  end(refreshToken: string, state: 'revoked' | 'expired'): void {
    const family = this.#families.get(refreshToken);
    if (family === undefined) throw new Error('no such refresh token was issued here');
    family.state = state;
  }

  /** Ends one access token before its time (facts 1.5); the login goes on. */
  endAccess(accessToken: string): void {
    if (!this.#access.delete(accessToken)) throw new Error('no such access token was issued here');
  }

  /** Whether the refresh token was issued here, whatever has become of it. */
  knows(refreshToken: string): boolean {
    return this.#families.has(refreshToken);
  }

  isAlive(refreshToken: string): boolean {
    return this.#families.get(refreshToken)?.state === 'alive' && !this.#spent.has(refreshToken);
  }

  /** Whether the access token was issued here and had not expired at that moment. */
  accepts(accessToken: string, nowMs: number): boolean {
    const known = this.#access.get(accessToken);
    return known !== undefined && nowMs < known.expiresAtMs;
  }

  /** The same for a server with which the access tokens end when their login does. */
  honours(accessToken: string, nowMs: number): boolean {
    return this.accepts(accessToken, nowMs) && this.#access.get(accessToken)?.family.state === 'alive';
  }

  #issue(family: Family, nowMs: number, lifetimeSeconds: number, refreshToken?: string): LoginTokens {
    const tokens = makeLoginTokens({
      issuedAtMs: nowMs,
      lifetimeSeconds,
      claims: family.claims,
      ...(refreshToken === undefined ? {} : { refreshToken }),
    });
    this.#families.set(tokens.refresh_token, family);
    const expiresAtMs = (Math.floor(nowMs / 1000) + lifetimeSeconds) * 1000;
    this.#access.set(tokens.access_token, { family, expiresAtMs });
    return tokens;
  }
}
