import type { CredentialBody } from '../../protocol.js';
import type { CredentialSource } from '../source/credential-source.js';
import { authorizationHeaders, mayReceive, readAllowed, type AuthorizationOptions } from './authorization.js';
import { firstHop, nextHop, type Hop } from './redirect.js';

/** How to make requests. */
export interface AuthorizedFetchOptions extends AuthorizationOptions {
  /** What makes them; the global `fetch` if absent. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** As many redirects as `fetch` itself follows. */
const MOST_REDIRECTS = 20;

/**
 * A `fetch` whose requests carry the current credential: `Authorization` and, where there is an account,
 * `ChatGPT-Account-ID`, in place of what the caller may have set. Only requests to the credential's `base_url` and what
 * lies under it do, also after a redirect; every other one passes as it is.
 *
 * An answer 401 is reported to the daemon, and the request made once more with the newer token. It is not where there is
 * none, or where the body is a stream or comes in a `Request`: then the 401 is the answer.
 *
 * @throws AuthdError `bad_request` if an address in `allow` is none; each request as the source's `get` if there is no
 *   credential, else as `fetch`
 */
export function authorizedFetch(
  source: Pick<CredentialSource, 'current' | 'get' | 'rejected'>,
  options: AuthorizedFetchOptions = {},
): typeof globalThis.fetch {
  const send = options.fetch ?? fetch;
  const allowed = readAllowed(options);

  return async (input, init) => {
    const first = firstHop(input, init);
    const known = source.current;
    if (known !== null && !mayReceive(first.url, known, allowed)) return send(input, init);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const mode = init?.redirect ?? (input instanceof Request ? input.redirect : 'follow');
    if (mode !== 'follow') return authorize(first, mode, signal);
    let hop = first;
    for (let redirects = 0; ; redirects += 1) {
      const response = await authorize(hop, 'manual', signal);
      const next = nextHop(hop, response);
      if (next === null) return response;
      await response.body?.cancel();
      if (redirects === MOST_REDIRECTS) throw new TypeError('fetch failed: redirect count exceeded');
      hop = next;
    }
  };

  /** Makes one request, with the credential if it may have it, and once more if that was rejected. */
  async function authorize(
    hop: Hop,
    redirect: Request['redirect'],
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const credential = await source.get({ signal });
    if (!mayReceive(hop.url, credential, allowed)) {
      return send(hop.input, { ...hop.init, headers: hop.headers, redirect });
    }
    const response = await sendWith(credential, hop, redirect);
    if (response.status !== 401) return response;
    const report = source.rejected(credential.fingerprint, { signal }).catch(() => null);
    const other = hop.isReplayable ? await report : null;
    if (signal?.aborted === true) await response.body?.cancel().catch(() => undefined);
    signal?.throwIfAborted();
    if (other === null || !mayReceive(hop.url, other, allowed)) return response;
    await response.body?.cancel();
    return sendWith(other, hop, redirect);
  }

  function sendWith(credential: CredentialBody, hop: Hop, redirect: Request['redirect']): Promise<Response> {
    const headers = new Headers(hop.headers);
    for (const [name, value] of authorizationHeaders(credential)) headers.set(name, value);
    return send(hop.input, { ...hop.init, headers, redirect });
  }
}
