import { isReplayable } from './authorization.js';

/** One request of a chain of redirects. */
export interface Hop {
  readonly url: URL;
  /** What `fetch` is called with. */
  readonly input: string | URL | Request;
  readonly init: RequestInit;
  readonly method: string;
  /** The caller's own, without what authorizes the request. */
  readonly headers: Headers;
  /** Whether it can be sent again as it is. */
  readonly isReplayable: boolean;
}

const REDIRECTS = [301, 302, 303, 307, 308];
/** What tells of a body, and what is meant for one host only (Fetch standard, "HTTP-redirect fetch"). */
const BODY_HEADERS = [
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'content-length',
];
const HOST_HEADERS = ['authorization', 'proxy-authorization', 'cookie', 'host'];

/** The first hop of a call of `fetch`. */
export function firstHop(input: string | URL | Request, init: RequestInit = {}): Hop {
  const request = input instanceof Request ? input : null;
  const body = init.body ?? request?.body;
  return {
    url: new URL(input instanceof Request ? input.url : input),
    input,
    // A Request's own signal would end with the first hop, which alone is sent as that Request.
    init: request === null || init.signal !== undefined ? init : { ...init, signal: request.signal },
    method: (init.method ?? request?.method ?? 'GET').toUpperCase(),
    headers: new Headers(init.headers ?? request?.headers),
    isReplayable: isReplayable(body),
  };
}

/**
 * Where an answer sends its caller, as `fetch` itself would go there; null if it is no redirect.
 *
 * @throws TypeError if it leads nowhere, or the body cannot be sent again
 */
export function nextHop(hop: Hop, { status, headers: answered }: Response): Hop | null {
  const location = answered.get('location');
  if (!REDIRECTS.includes(status) || location === null) return null;
  const url = new URL(location, hop.url);
  if (!/^https?:$/.test(url.protocol)) throw new TypeError(`fetch failed: redirected to ${url.protocol}`);
  const isPost = hop.method === 'POST';
  const isRead = hop.method === 'GET' || hop.method === 'HEAD';
  const becomesGet = (status <= 302 && isPost) || (status === 303 && !isRead);
  if (!becomesGet && !hop.isReplayable) {
    throw new TypeError('fetch failed: redirected, and the body is a stream, which cannot be sent again');
  }
  const headers = new Headers(hop.headers);
  const dropped = [
    ...(becomesGet ? BODY_HEADERS : []),
    ...(url.origin === hop.url.origin ? [] : HOST_HEADERS),
  ];
  for (const name of dropped) headers.delete(name);
  const method = becomesGet ? 'GET' : hop.method;
  const { body, ...rest } = hop.init;
  const init = { ...rest, method, ...(becomesGet || body === undefined ? {} : { body }) };
  return { url, input: url, init, method, headers, isReplayable: becomesGet || hop.isReplayable };
}
