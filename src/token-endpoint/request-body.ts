import type { Secret } from '../core/secret.js';

/** How a refresh request is written: Codex's JSON, or the form of RFC 6749 §6 (facts 2.1). */
export type BodyFormat = 'json' | 'form';

/** What a refresh request says beside the token. */
export interface ClientIdentity {
  readonly clientId: string;
  /** Sent only if it is set; Codex sends none. */
  readonly scope: string | null;
}

export interface EncodedBody {
  readonly contentType: string;
  readonly body: string;
}

/** Encodes a refresh request. */
export function encodeRefresh(
  format: BodyFormat,
  { clientId, scope }: ClientIdentity,
  refreshToken: Secret,
): EncodedBody {
  const fields = {
    client_id: clientId,
    grant_type: 'refresh_token',
    refresh_token: refreshToken.reveal(),
    ...(scope === null ? {} : { scope }),
  };
  return format === 'json'
    ? { contentType: 'application/json', body: JSON.stringify(fields) }
    : {
        contentType: 'application/x-www-form-urlencoded',
        body: new URLSearchParams(fields).toString(),
      };
}
