import type { LoginTokens } from './login-file.js';

/**
 * What the server does with the refresh token before it answers, whatever it answers: spend it for a new pair,
 * renew the access token and let the refresh token live (RFC 6749 §6 allows it), or nothing.
 */
export type Effect = 'rotates' | 'renews' | 'nothing';

/** An answer on the wire. */
export type Reply =
  | { readonly kind: 'whole'; readonly status: number; readonly headers: Headers; readonly body: string }
  /** The connection is reset when the request has been read: nothing of an answer is sent. */
  | { readonly kind: 'reset' }
  /** This much of the body is sent, then the connection ends. */
  | { readonly kind: 'cut'; readonly status: number; readonly body: string; readonly bytes: number }
  /** Nothing is sent and the connection stays open. */
  | { readonly kind: 'silence' };

type Headers = Readonly<Record<string, string>>;

/** An answer that a test prescribes for one request. */
export interface ScriptedAnswer {
  /** Stands in the book as the request's outcome. */
  readonly name: string;
  readonly effect: Effect;
  /** Overrides the endpoint's lifetime for the tokens that it issues here. */
  readonly lifetimeSeconds?: number;
  /** `issued` are the tokens of the effect, null where that is `nothing`. */
  readonly reply: (issued: LoginTokens | null) => Reply;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** A captive portal, or a proxy's login page. */
export function html(status = 200): ScriptedAnswer {
  const body = '<!doctype html><title>Sign in</title><p>Sign in to use this network.';
  return always('html', 'nothing', whole(status, body, { 'content-type': 'text/html' }));
}

/** `200 {}`: the token is spent and nothing is given for it. */
export function emptyObject(effect: Effect = 'rotates'): ScriptedAnswer {
  return always('empty_object', effect, whole(200, '{}'));
}

/** 200 with a new refresh token and no access token. */
export function withoutAccessToken(): ScriptedAnswer {
  return {
    name: 'without_access_token',
    effect: 'rotates',
    reply: (issued) => whole(200, tokenResponse({ ...issued, access_token: undefined })),
  };
}

/** A server without rotation: a new access token, and the old refresh token stays good. */
export function withoutRefreshToken(): ScriptedAnswer {
  return {
    name: 'without_refresh_token',
    effect: 'renews',
    reply: (issued) => whole(200, tokenResponse({ ...issued, refresh_token: undefined })),
  };
}

/** No `id_token` in the answer: the old one stays (facts 2.1). */
export function withoutIdToken(): ScriptedAnswer {
  return {
    name: 'without_id_token',
    effect: 'rotates',
    reply: (issued) => whole(200, tokenResponse({ ...issued, id_token: undefined })),
  };
}

/** The tokens as they should be, under another media type. */
export function wrongContentType(type = 'text/plain'): ScriptedAnswer {
  return {
    name: 'wrong_content_type',
    effect: 'rotates',
    reply: (issued) => whole(200, tokenResponse(issued), { 'content-type': type }),
  };
}

/** Tokens with another lifetime than the endpoint's; negative for ones that have expired when they come. */
export function withLifetime(lifetimeSeconds: number): ScriptedAnswer {
  return {
    name: 'with_lifetime',
    effect: 'rotates',
    lifetimeSeconds,
    reply: (issued) => whole(200, tokenResponse(issued)),
  };
}

/** The tokens, and so much padding that the body has this many bytes. */
export function huge(bytes = 2 * 1024 * 1024, effect: Effect = 'rotates'): ScriptedAnswer {
  return {
    name: 'huge',
    effect,
    reply: (issued) => {
      const bare = tokenResponse(issued, { padding: '' });
      return whole(200, tokenResponse(issued, { padding: 'x'.repeat(Math.max(bytes - bare.length, 0)) }));
    },
  };
}

/** Any status, with no code in the body. */
export function status(code: number, headers: Headers = {}, effect: Effect = 'nothing'): ScriptedAnswer {
  const body = JSON.stringify({ error: { message: 'no code in here' } });
  return always(`status_${String(code)}`, effect, whole(code, body, { ...JSON_TYPE, ...headers }));
}

/** An error as OpenAI writes it (facts 2.4). It does not touch the token: what the server holds true stays so. */
export function error(code: string, httpStatus = 401): ScriptedAnswer {
  return always(code, 'nothing', whole(httpStatus, errorBody(code)));
}

/** 429; `retryAfter` is seconds or an HTTP date. */
export function rateLimited(retryAfter?: string): ScriptedAnswer {
  const headers = retryAfter === undefined ? JSON_TYPE : { ...JSON_TYPE, 'retry-after': retryAfter };
  return always('rate_limited', 'nothing', whole(429, errorBody('rate_limit_exceeded'), headers));
}

/** A redirect; if the location is the endpoint's own, following it is booked as `strayed`. */
export function redirect(httpStatus = 302, location = '/elsewhere'): ScriptedAnswer {
  return always('redirect', 'nothing', whole(httpStatus, '', { location }));
}

/** The request is read, the token is spent, and the connection is reset with no answer. */
export function resetBeforeAnswer(effect: Effect = 'rotates'): ScriptedAnswer {
  return always('reset', effect, { kind: 'reset' });
}

/** The answer ends in the middle of its body. */
export function cutMidBody(effect: Effect = 'rotates'): ScriptedAnswer {
  return {
    name: 'cut_mid_body',
    effect,
    reply: (issued) => {
      const body = tokenResponse(issued);
      return { kind: 'cut', status: 200, body, bytes: Math.floor(body.length / 2) };
    },
  };
}

/** The whole body is sent in chunks, but not the end of it: all that matters has arrived. */
export function cutAfterBody(effect: Effect = 'rotates'): ScriptedAnswer {
  return {
    name: 'cut_after_body',
    effect,
    reply: (issued) => {
      const body = tokenResponse(issued);
      return { kind: 'cut', status: 200, body, bytes: body.length };
    },
  };
}

/** No answer, until the endpoint's `breakSilence()` or `close()`. */
export function silence(effect: Effect = 'rotates'): ScriptedAnswer {
  return always('silence', effect, { kind: 'silence' });
}

/** The body of a token response; a field that is undefined is left out. */
export function tokenResponse(
  issued: Partial<Record<keyof LoginTokens, string | undefined>> | null,
  more: Readonly<Record<string, unknown>> = {},
): string {
  const { access_token, refresh_token, id_token } = issued ?? {};
  return JSON.stringify({ access_token, refresh_token, id_token, token_type: 'Bearer', ...more });
}

/** The body of an error as OpenAI writes it. */
export function errorBody(code: string): string {
  return JSON.stringify({
    error: { message: `the request failed: ${code}`, type: 'invalid_request_error', code },
  });
}

function whole(status: number, body: string, headers: Headers = JSON_TYPE): Reply {
  return { kind: 'whole', status, headers, body };
}

function always(name: string, effect: Effect, reply: Reply): ScriptedAnswer {
  return { name, effect, reply: () => reply };
}
