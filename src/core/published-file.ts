import { isJwt } from './claims.js';
import type { RotatingLogin } from './login.js';

/**
 * The text of an auth.json for consumers that must not hold a refresh token: Codex uses it, never refreshes or writes
 * it, and reads it again on a 401 (facts 4.3). The same for the same login, so that it can be compared with a file.
 * Null where Codex would refuse it: it wants a JWT for an `id_token` (facts 1.3), and the access token is one as a rule.
 *
 * @param obtainedAtMs stands in for the time of issue, as `last_refresh`, where the token does not tell it: without one
 *   Codex sends no token (facts 1.3)
 */
export function publishedText(login: RotatingLogin, obtainedAtMs: number): string | null {
  const { credential, idToken } = login;
  const accessToken = credential.accessToken.reveal();
  const id = [idToken?.reveal() ?? '', accessToken].find(isJwt);
  if (id === undefined) return null;
  const document = {
    auth_mode: MODE,
    OPENAI_API_KEY: null,
    tokens: {
      id_token: id,
      access_token: accessToken,
      refresh_token: '',
      account_id: credential.accountId,
    },
    // Not the file's own: that one is told before it is written, and would be another one afterwards.
    last_refresh: new Date(instantOr(credential.issuedAtMs, obtainedAtMs)).toISOString(),
  };
  return JSON.stringify(document, null, 2);
}

/**
 * The account in the text of a published file; null if the text is anything else. Strict, because what is taken for a
 * published file may be overwritten: there is nothing in one that another process cannot have again.
 */
export function accountInPublished(text: string): string | null {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(file) || file['auth_mode'] !== MODE || (file['OPENAI_API_KEY'] ?? null) !== null) return null;
  const { tokens } = file;
  if (!isObject(tokens) || !hasOnly(file, FIELDS) || !hasOnly(tokens, TOKENS)) return null;
  const { refresh_token: refreshToken, account_id: accountId } = tokens;
  return refreshToken === '' && typeof accountId === 'string' ? accountId : null;
}

const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');
const MODE = 'chatgptAuthTokens';
const FIELDS = ['auth_mode', 'OPENAI_API_KEY', 'tokens', 'last_refresh'];
const TOKENS = ['id_token', 'access_token', 'refresh_token', 'account_id'];

/** A claim may name a year that no date can have. */
function instantOr(claimedMs: number | null, fallbackMs: number): number {
  return claimedMs !== null && claimedMs >= 0 && claimedMs <= LAST_MS ? claimedMs : fallbackMs;
}

function hasOnly(object: object, fields: readonly string[]): boolean {
  return Object.keys(object).every((field) => fields.includes(field));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
