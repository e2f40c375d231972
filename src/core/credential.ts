import type { Secret } from './secret.js';

/** What a consumer may have. Never the refresh token. */
export interface Credential {
  readonly accessToken: Secret;
  /** Milliseconds since the epoch; null if it does not expire or its expiry cannot be read. */
  readonly expiresAtMs: number | null;
  readonly issuedAtMs: number | null;
  readonly accountId: string | null;
  readonly plan: string | null;
  /** Where the token is good: the base URL for API requests. */
  readonly baseUrl: string;
}

/** A credential as it is published: with the number that tells it from the one before. */
export interface PublishedCredential extends Credential {
  readonly generation: number;
}

/** Whether two credentials are the same for a consumer. */
export function sameCredential(a: Credential, b: Credential): boolean {
  return (
    a.accessToken.equals(b.accessToken) &&
    a.expiresAtMs === b.expiresAtMs &&
    a.accountId === b.accountId &&
    a.plan === b.plan &&
    a.baseUrl === b.baseUrl
  );
}
