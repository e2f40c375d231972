import { decodeJwt } from 'jose/jwt/decode';

/**
 * What a Codex token says of itself (facts 1.4). Signatures are not checked, as Codex does not check them:
 * whoever can write auth.json owns the login anyway.
 */
export interface Claims {
  readonly expiresAtMs: number | null;
  readonly issuedAtMs: number | null;
  readonly accountId: string | null;
  readonly plan: string | null;
  readonly email: string | null;
}

const NO_CLAIMS: Claims = { expiresAtMs: null, issuedAtMs: null, accountId: null, plan: null, email: null };

/** The claims of a token; all null where it is not a JWT. Never throws. */
export function readClaims(token: string): Claims {
  let payload: Record<string, unknown>;
  try {
    payload = decodeJwt(token);
  } catch {
    return NO_CLAIMS;
  }
  const auth = objectOrEmpty(payload['https://api.openai.com/auth']);
  const profile = objectOrEmpty(payload['https://api.openai.com/profile']);
  return {
    expiresAtMs: secondsToMs(payload['exp']),
    issuedAtMs: secondsToMs(payload['iat']),
    accountId: textOrNull(auth['chatgpt_account_id']),
    plan: textOrNull(auth['chatgpt_plan_type']),
    email: textOrNull(payload['email']) ?? textOrNull(profile['email']),
  };
}

/** Whether Codex would take this as an `id_token`; it refuses the whole file otherwise (facts 1.3). */
export function isJwt(token: string): boolean {
  try {
    decodeJwt(token);
    return true;
  } catch {
    return false;
  }
}

/** The last instant that a Date can hold: a claim beyond it is as good as unreadable. */
const LAST_DATE_MS = 8.64e15;

function secondsToMs(value: unknown): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  const ms = Math.floor(value * 1000);
  return Math.abs(ms) <= LAST_DATE_MS ? ms : null;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function objectOrEmpty(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
