import type { ReasonOf } from './reasons.js';
import { Secret } from './secret.js';

/** What came back from the token endpoint, as seen from the network. */
export type Answer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** The body as text. */
      readonly body: string;
      /** The `Retry-After` header. */
      readonly retryAfter: string | null;
      /** The `Date` header: the server's clock. */
      readonly date: string | null;
    }
  /** It is certain that the request never left: DNS, connect, TLS, proxy. */
  | { readonly kind: 'never_sent'; readonly code: string; readonly message: string }
  /** The request was, or may have been, sent and no whole answer came. */
  | { readonly kind: 'lost'; readonly message: string };

/** The tokens of a token response. An absent one keeps its old value (facts 2.1). */
export interface TokenSet {
  readonly accessToken: Secret | null;
  readonly refreshToken: Secret | null;
  readonly idToken: Secret | null;
}

/** What an answer means for the login. */
export type Outcome =
  | { readonly kind: 'rotated'; readonly tokens: TokenSet }
  /** This refresh token is dead for good. `code` is the server's. */
  | { readonly kind: 'rejected'; readonly code: string; readonly detail: string }
  /** The refresh token was not spent; asking again is harmless. */
  | {
      readonly kind: 'retry';
      readonly reason: ReasonOf<'degraded'>;
      readonly detail: string;
      /** From Retry-After; null if the server named no time. */
      readonly afterMs: number | null;
    }
  /** The refresh token may have been spent; asking again may end the login. */
  | {
      readonly kind: 'unknown';
      readonly detail: string;
      /** As above, where an answer came. */
      readonly afterMs?: number | null;
    };

/** Codes that end a refresh token for good, with whatever 4xx status they come (facts 2.4). */
const TERMINAL_CODES: ReadonlySet<string> = new Set([
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalidated',
  'invalid_refresh_token',
  'token_invalidated',
  'token_revoked',
  'token_expired',
  'app_session_terminated',
  'account_session_expired',
  'account_deactivated',
  'account_suspended',
  'account_deleted',
]);

/** The server does not know the client; of the token it says nothing (RFC 6749 §5.2). */
const CLIENT_CODES: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client']);

/**
 * Failures by which a server says that it did not carry the request out (RFC 9110 §15.6), or a CDN that it found no way to
 * it. After any other one the token may be spent: a gateway has lost the answer, or the server has failed half-way.
 */
const NOT_CARRIED_OUT: ReadonlySet<number> = new Set([501, 505, 521, 523, 525, 526]);

/** What a server says with a 503 that has nothing to say. */
const BARE_503 = /^(503\s+)?(service (temporarily )?unavailable)?$/i;

/** Failures of name resolution and routing: this machine is offline, the server is not to blame. */
const OFFLINE_CODES: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
]);

/** Whether an answer of this status is read for tokens. What comes with any other one may repeat the request, but holds none. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Sorts an answer by what it means for the refresh token. Pure; never throws. */
export function readOutcome(answer: Answer, nowMs: number): Outcome {
  switch (answer.kind) {
    case 'never_sent':
      return OFFLINE_CODES.has(answer.code)
        ? retry('offline', `this machine seems to be offline: ${answer.message}`)
        : retry('unreachable', `the token endpoint cannot be reached: ${answer.message}`);
    case 'lost':
      return { kind: 'unknown', detail: `the token request was sent, but no answer came: ${answer.message}` };
    case 'answered':
      break;
  }
  const { status } = answer;
  const body = parseObject(answer.body);
  if (isSuccess(status)) return readSuccess(status, body);
  const afterMs = readRetryAfter(answer.retryAfter, nowMs);
  if (mayBeCarriedOut(answer) && !isOwn503(answer, body)) {
    const detail = `the token endpoint answered ${String(status)}: the token request may have been carried out`;
    return { kind: 'unknown', detail, afterMs };
  }
  const code = body === null ? null : errorCode(body);
  if (isTerminal(status, code)) {
    const name = code ?? `status ${String(status)}`;
    return {
      kind: 'rejected',
      code: name,
      detail: `the server no longer accepts the refresh token (${name})`,
    };
  }
  const said = code === null ? String(status) : `${String(status)} ${code}`;
  if (status === 429) return retry('rate_limited', `the token endpoint asks for patience (${said})`, afterMs);
  if (status >= 500)
    return retry('server_error', `the token endpoint has a failure of its own (${said})`, afterMs);
  if (status >= 300 && status < 400)
    return retry('redirected', `the token endpoint answered with a redirect (${said})`, afterMs);
  return retry('refused', `the token endpoint refused the request (${said})`, afterMs);
}

/**
 * A 408 is meant for a request that came too slowly (RFC 9110 §15.5.9); frameworks also give it when they have stopped a handler
 * half-way that took too long.
 */
function mayBeCarriedOut({ status }: { status: number }): boolean {
  return status === 408 || (status >= 500 && !NOT_CARRIED_OUT.has(status));
}

/**
 * Whether it is a 503 by which the server itself says that it did not carry the request out: with an `error` that says
 * something, as OAuth and OpenAI have it, or with nothing but the status. What a proxy wrote says no such thing, be there a
 * Retry-After with it or not: Envoy, Varnish, Amazon's API gateway (in JSON) and others write one also when they have lost
 * the server in the middle of it.
 */
function isOwn503({ status, body }: { status: number; body: string }, json: object | null): boolean {
  return (
    status === 503 &&
    ((json !== null && 'error' in json && json.error !== null) || BARE_503.test(body.trim()))
  );
}

function readSuccess(status: number, body: Record<string, unknown> | null): Outcome {
  const tokens: TokenSet = {
    accessToken: secretOrNull(body?.['access_token']),
    refreshToken: secretOrNull(body?.['refresh_token']),
    idToken: secretOrNull(body?.['id_token']),
  };
  if (tokens.accessToken === null && tokens.refreshToken === null) {
    const what = body === null ? 'something that is not a token response' : 'no token';
    return { kind: 'unknown', detail: `the token endpoint answered ${String(status)} with ${what}` };
  }
  return { kind: 'rotated', tokens };
}

function isTerminal(status: number, code: string | null): boolean {
  if (code !== null && CLIENT_CODES.has(code)) return false;
  if (status === 401) return true;
  if (status < 400 || status >= 500 || status === 429 || code === null) return false;
  return TERMINAL_CODES.has(code) || (status === 400 && code === 'invalid_grant');
}

/** The code of an error answer: `error.code`, `error` or `code` (facts 2.4). */
function errorCode(body: Record<string, unknown>): string | null {
  const error = body['error'];
  const nested =
    typeof error === 'object' && error !== null ? (error as Record<string, unknown>)['code'] : error;
  for (const candidate of [nested, body['code']]) {
    if (typeof candidate === 'string' && CODE_SHAPE.test(candidate)) return candidate;
  }
  return null;
}

/** A code is a word: whatever else a server puts there must not reach a log or a terminal. */
const CODE_SHAPE = /^[A-Za-z0-9_.-]{1,64}$/;

/** `Retry-After` as delta-seconds or HTTP-date (RFC 9110 §10.2.3); null if absent or unreadable. */
function readRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const instantMs = Date.parse(text);
  return Number.isNaN(instantMs) ? null : Math.max(instantMs - nowMs, 0);
}

function retry(reason: ReasonOf<'degraded'>, detail: string, afterMs: number | null = null): Outcome {
  return { kind: 'retry', reason, detail, afterMs };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function secretOrNull(value: unknown): Secret | null {
  return typeof value === 'string' && value !== '' ? new Secret(value) : null;
}
