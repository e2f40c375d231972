import { randomBytes } from 'node:crypto';
import { open, realpath, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ACCOUNT_ID, makeAccessToken, makeJwt, makeRefreshToken, type TokenClaims } from './tokens.js';

/** The tokens of a ChatGPT login as they stand in auth.json. */
export interface LoginTokens {
  readonly id_token: string;
  readonly access_token: string;
  readonly refresh_token: string;
  readonly account_id: string;
}

/** The lifetime of an access token of a Codex login, in seconds: 10 days (facts 1.5). */
const CODEX_LIFETIME_SECONDS = 10 * 24 * 3600;

export interface LoginOptions {
  /** When the access token was issued, in milliseconds since the epoch; now by default. */
  readonly issuedAtMs?: number;
  readonly lifetimeSeconds?: number;
  readonly claims?: TokenClaims;
  readonly refreshToken?: string;
}

/** A set of tokens that nobody issued. `strict-token-endpoint.ts` issues ones that it honours. */
export function makeLoginTokens(options: LoginOptions = {}): LoginTokens {
  const { issuedAtMs = Date.now(), lifetimeSeconds = CODEX_LIFETIME_SECONDS, claims = {} } = options;
  return {
    id_token: makeJwt({ ...claims, iat: Math.floor(issuedAtMs / 1000), emailAt: 'top' }),
    access_token: makeAccessToken(issuedAtMs, lifetimeSeconds, claims),
    refresh_token: options.refreshToken ?? makeRefreshToken(),
    account_id: claims.accountId ?? ACCOUNT_ID,
  };
}

/** The text of an auth.json with this login, to the byte as Codex writes it: 2 spaces, no trailing newline (facts 1.1). */
export function chatgptFile(
  tokens: LoginTokens,
  { lastRefreshMs = Date.now(), more = {} }: { lastRefreshMs?: number; more?: Record<string, unknown> } = {},
): string {
  return formatFile({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens,
    last_refresh: new Date(lastRefreshMs).toISOString(),
    ...more,
  });
}

/** The text of an auth.json with an API key. */
export function apiKeyFile(key: string): string {
  return formatFile({ auth_mode: 'apikey', OPENAI_API_KEY: key });
}

/** Any document, as Codex formats it. */
export function formatFile(document: unknown): string {
  return JSON.stringify(document, null, 2);
}

/**
 * How an auth.json is written (facts 3): Codex 0.163 and 0.166 truncate it in place and do not sync; 0.169 writes
 * a temporary file beside the real one, syncs it and renames it.
 */
export type WriteStyle = 'in_place' | 'replace';

/** Writes an auth.json with mode 0600, as one of Codex's versions does. */
export async function writeAuthFile(
  path: string,
  text: string,
  style: WriteStyle = 'replace',
): Promise<void> {
  if (style === 'in_place') return writeInPieces(path, [text]);
  const real = await realpath(path).catch(() => resolve(path));
  const temporary = join(dirname(real), `.auth-${randomBytes(4).toString('hex').slice(0, 6)}`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, real);
}

/**
 * Truncates the file in place and writes it piece by piece; `between` is awaited before every piece but the first,
 * so that a reader can be let in while the file is torn.
 */
export async function writeInPieces(
  path: string,
  pieces: readonly string[],
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await between();
      await file.write(piece);
    }
  } finally {
    await file.close();
  }
}

/** What `codex logout` does. */
export async function deleteAuthFile(path: string): Promise<void> {
  await unlink(path);
}
