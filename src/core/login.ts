import { CODEX_BASE_URLS, type BaseUrls } from './base-urls.js';
import { readClaims } from './claims.js';
import type { Credential } from './credential.js';
import type { Reading, SettledReading, TextReading } from './reading.js';
import type { ReasonOf } from './reasons.js';
import { Secret } from './secret.js';

/** What an auth.json holds, seen with the daemon's eyes. */
export type Login = RotatingLogin | StaticLogin | NoLogin;

/** An OAuth login with a refresh token: what this program exists for. */
export interface RotatingLogin {
  readonly kind: 'chatgpt';
  readonly credential: Credential;
  readonly refreshToken: Secret;
  /** As it stands in the file, a JWT or not; null if there is none. */
  readonly idToken: Secret | null;
  readonly lastRefreshMs: number | null;
  readonly email: string | null;
}

/** An API key or a personal access token: served as it is, nothing to rotate. */
export interface StaticLogin {
  readonly kind: 'api_key' | 'personal_access_token';
  readonly credential: Credential;
}

/** Nothing that could be served, and why. */
export interface NoLogin {
  readonly kind: 'none';
  readonly reason: ReasonOf<'logged_out' | 'unsupported' | 'corrupt'>;
  readonly detail: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** What a reading of the file amounts to. */
export function loginIn(reading: SettledReading, baseUrls: BaseUrls): Login {
  switch (reading.kind) {
    case 'text':
      return readLogin(reading.text, baseUrls);
    case 'absent':
      if (reading.otherStore === null) return none('no_file', 'there is no auth.json');
      return none(
        'keyring',
        `Codex keeps its login elsewhere: cli_auth_credentials_store = "${reading.otherStore}"`,
      );
    case 'refused':
      return none(reading.reason, reading.detail);
  }
}

/** The fingerprint of the refresh token in the file; null if there is none. */
export function refreshTokenIn(reading: Reading): string | null {
  if (reading.kind !== 'text') return null;
  const login = readLogin(reading.text);
  return login.kind === 'chatgpt' ? login.refreshToken.fingerprint : null;
}

/** Whether that is this one. */
export function holdsToken(reading: Reading, fingerprint: string): reading is TextReading {
  return refreshTokenIn(reading) === fingerprint;
}

/** Reads the text of an auth.json (facts 1.2). Never throws: what cannot be used says why. */
export function readLogin(text: string, baseUrls: BaseUrls = CODEX_BASE_URLS): Login {
  if (text.startsWith('\uFEFF')) {
    return none('byte_order_mark', 'auth.json starts with a byte order mark, which Codex refuses as well');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return none('not_json', text.trim() === '' ? 'auth.json is empty' : 'auth.json is not complete JSON');
  }
  if (!isObject(parsed)) return none('wrong_shape', 'auth.json holds no JSON object');
  return readMode(parsed, baseUrls);
}

function readMode(file: Fields, baseUrls: BaseUrls): Login {
  const mode = file['auth_mode'] ?? inferMode(file);
  switch (mode) {
    case 'chatgpt':
      return readRotating(file, baseUrls);
    case 'apikey':
      return readStatic('api_key', file['OPENAI_API_KEY'], 'OPENAI_API_KEY', baseUrls);
    case 'personalAccessToken':
      return readStatic(
        'personal_access_token',
        file['personal_access_token'],
        'personal_access_token',
        baseUrls,
      );
    case 'chatgptAuthTokens':
      return none('published_file', 'auth.json was published by another program, which keeps it fresh');
    case 'agentIdentity':
      return none('agent_identity', 'auth.json holds an agent identity, which has no token to keep fresh');
    case 'bedrockApiKey':
      return none('bedrock', 'auth.json holds an Amazon Bedrock key, which is not a Codex login');
    case 'headers':
      return none('headers', 'auth.json holds request headers, which have no token to keep fresh');
    case null:
      return none('no_login', 'auth.json holds no login');
    default:
      return none('unknown_mode', `auth.json has an auth_mode that is not known: ${shorten(mode)}`);
  }
}

/** The mode of a file that names none, in Codex's order; null if it holds no login at all. */
function inferMode(file: Fields): string | null {
  if (isPresent(file['personal_access_token'])) return 'personalAccessToken';
  if (isPresent(file['bedrock_api_key'])) return 'bedrockApiKey';
  if (isPresent(file['OPENAI_API_KEY'])) return 'apikey';
  if (isPresent(file['tokens'])) return 'chatgpt';
  if (isPresent(file['agent_identity'])) return 'agentIdentity';
  return null;
}

function readRotating(file: Fields, baseUrls: BaseUrls): Login {
  const tokens = file['tokens'];
  if (!isPresent(tokens)) return none('no_login', 'auth.json holds no tokens');
  if (!isObject(tokens)) return none('wrong_shape', 'auth.json has `tokens` that are no object');
  const { access_token: access, refresh_token: refresh, id_token: id } = tokens;
  if (!isText(access)) return none('wrong_shape', 'auth.json has no `tokens.access_token`');
  if (!isHeaderSafe(access))
    return none('wrong_shape', 'auth.json has an access token that no header can carry');
  if (!isText(refresh)) return none('no_refresh_token', 'auth.json has an access token but no refresh token');

  const accessClaims = readClaims(access);
  const idClaims = readClaims(isText(id) ? id : '');
  const lastRefreshMs = readInstant(file['last_refresh']);
  const accountIds = [tokens['account_id'], idClaims.accountId, accessClaims.accountId].filter(isHeaderSafe);
  if (!belongsTo(tokens['account_id'], accessClaims.accountId ?? idClaims.accountId)) {
    return none('mixed_accounts', 'auth.json holds the tokens of one account under the id of another one');
  }
  return {
    kind: 'chatgpt',
    credential: {
      accessToken: new Secret(access),
      expiresAtMs: accessClaims.expiresAtMs,
      issuedAtMs: accessClaims.issuedAtMs ?? lastRefreshMs,
      accountId: accountIds[0] ?? null,
      plan: idClaims.plan ?? accessClaims.plan,
      baseUrl: baseUrls.chatgpt,
    },
    refreshToken: new Secret(refresh),
    idToken: isText(id) ? new Secret(id) : null,
    lastRefreshMs,
    email: idClaims.email ?? accessClaims.email,
  };
}

/**
 * Whether a file that names an account holds tokens which may be of that account. Codex 0.163 can write what it fetched for
 * one login into the file of another (facts 3.3), and whichever of the two is given out then, consumers of the one
 * speak for the other. Codex itself would send the token of the one with the id of the other.
 */
function belongsTo(named: unknown, claimed: string | null): boolean {
  return !isText(named) || claimed === null || named === claimed;
}

function readStatic(kind: StaticLogin['kind'], value: unknown, field: string, baseUrls: BaseUrls): Login {
  if (!isPresent(value)) return none('no_login', `auth.json holds no ${field}`);
  if (!isText(value)) return none('wrong_shape', `auth.json has a \`${field}\` that is no string`);
  if (!isHeaderSafe(value))
    return none('wrong_shape', `auth.json has a \`${field}\` that no header can carry`);
  return {
    kind,
    credential: {
      accessToken: new Secret(value),
      expiresAtMs: null,
      issuedAtMs: null,
      accountId: null,
      plan: null,
      baseUrl: baseUrls.platform,
    },
  };
}

function none(reason: NoLogin['reason'], detail: string): NoLogin {
  return { kind: 'none', reason, detail };
}

function readInstant(value: unknown): number | null {
  if (!isText(value)) return null;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : ms;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Visible ASCII: what a consumer will put into a header of its own. */
function isHeaderSafe(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shorten(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : 'it is no text';
}
