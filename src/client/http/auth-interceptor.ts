import { AuthdError } from '../../errors.js';
import type { CredentialBody } from '../../protocol.js';
import type { CredentialSource } from '../source/credential-source.js';
import {
  authorizationHeaders,
  isReplayable,
  mayReceive,
  readAllowed,
  type AuthorizationOptions,
} from './authorization.js';
import {
  flatHeaders,
  type Dispatcher,
  type DispatchHandler,
  type DispatchOptions,
  type Interceptor,
} from './dispatch.js';
import { renewingHandler, renewingLegacyHandler } from './renewing-handler.js';

/**
 * An interceptor for undici 6, 7 and 8: `new Agent().compose(authInterceptor(source))`. It does what `authorizedFetch`
 * does: the current credential in every request to its `base_url`, and a second attempt with a newer one after a 401,
 * unless the body is a stream. Requests to other addresses pass as they are.
 *
 * Redirects: composed before undici's `redirect` interceptor, it looks at each address anew. If there is no credential the
 * request fails with the AuthdError of the source's `get`; with `bad_request` if it does not name its `origin`, as those
 * through a `Client` or a `Pool` of undici 6 and 7 need not.
 *
 * @throws AuthdError `bad_request` if an address in `allow` is none
 */
export function authInterceptor(
  source: Pick<CredentialSource, 'current' | 'get' | 'rejected'>,
  options: AuthorizationOptions = {},
): Interceptor {
  const allowed = readAllowed(options);
  return (dispatch) => (request, handler) => {
    if (request.origin === undefined) {
      queueMicrotask(() => {
        fail(handler, withoutOrigin());
      });
      return true;
    }
    const url = addressOf(request.origin, request);
    const known = source.current;
    if (url === null || (known !== null && !mayReceive(url, known, allowed)))
      return dispatch(request, handler);
    source.get().then(
      (credential) => {
        authorize({ dispatch }, request, handler, url, credential);
      },
      (error: unknown) => {
        fail(handler, error);
      },
    );
    return true;
  };

  function authorize(
    dispatcher: Dispatcher,
    request: DispatchOptions,
    handler: DispatchHandler,
    url: URL,
    credential: CredentialBody,
  ): void {
    const attempt = (by: DispatchHandler, given: CredentialBody): void => {
      try {
        dispatcher.dispatch(mayReceive(url, given, allowed) ? withCredential(request, given) : request, by);
      } catch (error) {
        fail(handler, error);
      }
    };
    const isRepeatable = isReplayable(request.body);
    const renewal = {
      async report() {
        const other = source.rejected(credential.fingerprint).catch(() => null);
        return isRepeatable ? other : null;
      },
      again(other: CredentialBody) {
        attempt(handler, other);
      },
    };
    const renewing = isLegacy(handler) ? renewingLegacyHandler : renewingHandler;
    attempt(mayReceive(url, credential, allowed) ? renewing(handler, renewal) : handler, credential);
  }
}

/** Where a request goes; null if that cannot be said, or it is no plain request. */
function addressOf(origin: string | URL, { path, method }: DispatchOptions): URL | null {
  if (method === 'CONNECT' || !URL.canParse(path, String(origin))) return null;
  const url = new URL(path, origin);
  // A path may be a whole address of its own; the request goes to the origin all the same.
  return url.origin === new URL(origin).origin ? url : null;
}

function withCredential(request: DispatchOptions, credential: CredentialBody): DispatchOptions {
  const own = authorizationHeaders(credential);
  const headers = flatHeaders(request.headers);
  const kept: unknown[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = String(headers[index]).toLowerCase();
    if (!own.some(([mine]) => mine === name)) kept.push(headers[index], headers[index + 1]);
  }
  return { ...request, headers: [...kept, ...own.flat()] };
}

/** undici 6 knows only the handlers of its time; undici 7 makes new ones of them before it comes to an interceptor. */
function isLegacy(handler: DispatchHandler): boolean {
  return handler.onRequestStart === undefined;
}

/** The request ends before it has begun. */
function fail(handler: DispatchHandler, reason: unknown): void {
  const error = reason instanceof Error ? reason : new Error(String(reason));
  if (isLegacy(handler)) handler.onError?.(error);
  else handler.onResponseError?.(NEVER_STARTED, error);
}

/** Without the token it would be answered with a 401 that nobody could explain. */
function withoutOrigin(): AuthdError {
  return new AuthdError('bad_request', 'the request does not say to which origin it goes', {
    hint: 'give it an `origin`, or compose the interceptor to an Agent',
  });
}

const NEVER_STARTED = {
  pause: () => undefined,
  resume: () => undefined,
  abort: () => undefined,
  aborted: true,
  paused: false,
  reason: null,
};
