import type { CredentialBody } from '../protocol.js';
import { plain } from './output.js';
import { formatLocal, formatRelative } from './when.js';

/** A credential as it may be printed where nobody asked for the token: the fingerprint stands for it. */
export function withoutToken(credential: CredentialBody): Omit<CredentialBody, 'access_token'> {
  const { access_token: _token, ...rest } = credential;
  return rest;
}

/** `generation 8, fingerprint 0123456789ab, expires in 9 d 4 h (2026-12-02 17:03:12 +01:00)`. */
export function describeCredential(credential: CredentialBody, nowMs: number): string {
  const { generation, fingerprint, expires_at: expiresAt } = credential;
  const local = expiresAt === null ? '' : ` (${formatLocal(expiresAt)})`;
  return plain(
    `generation ${String(generation)}, fingerprint ${fingerprint}, ${describeExpiry(expiresAt, nowMs)}${local}`,
  );
}

/** `expires in 9 d 4 h`, `expired 12 s ago`, or that no expiry is known. */
export function describeExpiry(expiresAt: string | null, nowMs: number): string {
  if (expiresAt === null) return 'with no known expiry';
  const verb = Date.parse(expiresAt) <= nowMs ? 'expired' : 'expires';
  return `${verb} ${formatRelative(expiresAt, nowMs)}`;
}
