import { readClaims } from '../core/claims.js';
import { withTokens } from '../core/edit.js';
import type { BaseUrls } from '../core/base-urls.js';
import { readLogin, type Login, type RotatingLogin } from '../core/login.js';
import type { TokenSet } from '../core/outcome.js';
import type { SettledReading } from '../core/reading.js';

/** A token set that the server handed out for a refresh token that is spent now. */
export interface Harvest {
  /** The fingerprint of the refresh token that was spent. */
  readonly spent: string;
  /** When its rotation began, in milliseconds since the epoch; null if that is not known any more. */
  readonly startedAtMs: number;
  readonly tokens: TokenSet;
  /** Whether it is in the journal, durably: only then may anyone hear of it before it is in auth.json. */
  readonly isDurable: boolean;
  /** Whether it has been in auth.json, durably. */
  readonly isStored: boolean;
}

/** Whether the harvest gave another refresh token for the one that was spent; a server without rotation does not. */
export function isRotation({ spent, tokens }: Harvest): boolean {
  return tokens.refreshToken !== null && tokens.refreshToken.fingerprint !== spent;
}

/** Whose tokens they are; null if they do not say. */
export function accountOf({ tokens }: Harvest): string | null {
  const accounts = [tokens.accessToken, tokens.idToken].map((token) =>
    token === null ? null : readClaims(token.reveal()).accountId,
  );
  return accounts.find((account) => account !== null) ?? null;
}

/**
 * Whether the file still waits for the harvest: it holds the refresh token that was spent for it, also if an older
 * Codex has put that back (facts 3.3), or the new one from a commit that failed between its rename and its last sync.
 */
export function isWanting(harvest: Harvest, login: Login): boolean {
  if (login.kind !== 'chatgpt') return false;
  if (hasSpent(harvest, login)) {
    return isRotation(harvest) || (!harvest.isStored && !isOlder(harvest, login));
  }
  return !harvest.isStored && isOurs(harvest, login);
}

/** Whether it was got for the refresh token of this login. */
export function hasSpent({ spent }: Harvest, login: Login): boolean {
  return login.kind === 'chatgpt' && login.refreshToken.fingerprint === spent;
}

/**
 * Whether the access token in the file is a newer one. Where refresh tokens are not rotated, the one in the file does not
 * tell: somebody may have fetched with it what we did not know of.
 */
function isOlder({ tokens, startedAtMs }: Harvest, { credential, lastRefreshMs }: RotatingLogin): boolean {
  // What we put there ourselves is stored once more: the commit may have failed after its rename.
  if (tokens.accessToken === null || tokens.accessToken.equals(credential.accessToken)) return false;
  const ours = readClaims(tokens.accessToken.reveal());
  const theirs = readClaims(credential.accessToken.reveal());
  for (const claim of ['issuedAtMs', 'expiresAtMs'] as const) {
    const [our, their] = [ours[claim], theirs[claim]];
    if (our !== null && their !== null && our !== their) return our < their;
  }
  return lastRefreshMs !== null && startedAtMs < lastRefreshMs;
}

/** Whether what is in the file is what we put there. */
export function isOurs({ tokens }: Harvest, login: Login): boolean {
  if (login.kind !== 'chatgpt') return false;
  const { accessToken, refreshToken } = tokens;
  if (refreshToken !== null && !login.refreshToken.equals(refreshToken)) return false;
  return accessToken === null ? refreshToken !== null : login.credential.accessToken.equals(accessToken);
}

/**
 * The login as it will be once the harvest is stored: it is in the journal, so consumers may have it. Null if it is in
 * memory only, or the file has no place for it.
 */
export function readAhead(
  reading: SettledReading,
  { tokens, isDurable }: Harvest,
  baseUrls: BaseUrls,
  nowMs: number,
): Login | null {
  if (!isDurable || reading.kind !== 'text') return null;
  try {
    return readLogin(withTokens(reading.text, tokens, nowMs), baseUrls);
  } catch {
    return null;
  }
}
