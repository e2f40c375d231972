import { setTimeout as sleep } from 'node:timers/promises';
import { chatgptFile, formatFile, type LoginTokens } from '../login-file.js';
import { CODEX_CLIENT_ID } from '../strict-token-endpoint.js';
import { CodexLockTimeout } from './file-lock.js';
import type { Rival } from './rival.js';
import { textOf } from './text-of.js';

/** What a rotation of a rival's came to. */
export type RivalRotation =
  /** The file holds its tokens. */
  | { readonly kind: 'stored'; readonly tokens: LoginTokens }
  /** The server gave tokens; in the file is another login by now, and this version leaves that alone. */
  | { readonly kind: 'dropped' }
  /** The server gave tokens, and a lock kept it from saving them: the login is lost (facts 3.2). */
  | { readonly kind: 'lost' }
  /** The server gave none. */
  | { readonly kind: 'refused' }
  /** There is no login to rotate. */
  | { readonly kind: 'no_login' };

/** Codex rotates by itself: the file is read just before, and nobody else is asked to wait meanwhile (facts 2.3). */
export async function rotateAs(rival: Rival, path: string, tokenEndpoint: string): Promise<RivalRotation> {
  const before = tokensIn(await textOf(path));
  if (before === null) return { kind: 'no_login' };
  const fresh = await requestTokens(rival, before, tokenEndpoint);
  if (fresh === null) return { kind: 'refused' };
  const stored: LoginTokens[] = [];
  try {
    await rival.save(path, (text) => {
      const now = tokensIn(text);
      if (text === null || now === null || !rival.storesOver(now, before)) return null;
      const tokens = { ...now, ...fresh };
      stored.push(tokens);
      return formatFile({ ...parse(text), tokens, last_refresh: new Date().toISOString() });
    });
  } catch (error) {
    if (error instanceof CodexLockTimeout) return { kind: 'lost' };
    throw error;
  }
  const [tokens] = stored;
  return tokens === undefined ? { kind: 'dropped' } : { kind: 'stored', tokens };
}

/** `codex login`: whatever was there before, this login is in the file now. */
export function logInAs(rival: Rival, path: string, tokens: LoginTokens): Promise<void> {
  return rival.save(path, () => chatgptFile(tokens));
}

/** Rewrites the file with another value in a field that has nothing to do with the login. Does nothing to a torn one. */
export function editAs(rival: Rival, path: string, field: string, value: unknown): Promise<void> {
  return rival.save(path, (text) => {
    if (text === null || tokensIn(text) === null) return null;
    return formatFile({ ...parse(text), [field]: value });
  });
}

/** `codex logout`, and a new login after a while. */
export async function logOutForAWhileAs(
  rival: Rival,
  path: string,
  awayMs: number,
  tokens: () => LoginTokens,
): Promise<void> {
  await rival.remove(path);
  await sleep(awayMs);
  await logInAs(rival, path, tokens());
}

/** The tokens in the text of an auth.json; null if there are none, or it is torn. */
export function tokensIn(text: string | null): LoginTokens | null {
  const tokens = text === null ? null : parse(text)?.tokens;
  return tokens ?? null;
}

function parse(text: string): { tokens?: LoginTokens } | null {
  try {
    return JSON.parse(text) as { tokens?: LoginTokens } | null;
  } catch {
    return null;
  }
}

async function requestTokens(
  { userAgent }: Rival,
  { refresh_token }: LoginTokens,
  tokenEndpoint: string,
): Promise<Pick<LoginTokens, 'access_token' | 'refresh_token' | 'id_token'> | null> {
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': userAgent },
    body: JSON.stringify({ client_id: CODEX_CLIENT_ID, grant_type: 'refresh_token', refresh_token }),
  });
  if (!response.ok) return null;
  const { access_token, refresh_token: next, id_token } = (await response.json()) as LoginTokens;
  return { access_token, refresh_token: next, id_token };
}
