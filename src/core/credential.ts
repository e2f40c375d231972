import { createHash } from 'node:crypto';
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

/** The same for two credentials exactly if a consumer could not tell one from the other. */
export function digestOf({ accessToken, expiresAtMs, accountId, plan, baseUrl }: Credential): string {
  const seen = JSON.stringify([accessToken.fingerprint, expiresAtMs, accountId, plan, baseUrl]);
  return createHash('sha256').update(seen).digest('hex').slice(0, 16);
}
