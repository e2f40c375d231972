import type { IncomingMessage } from 'node:http';
import { AuthdError } from '../errors.js';

/** Where a request goes: the path as it was sent, and what stands after the `?`. */
export interface Target {
  readonly path: string;
  readonly search: string;
}

/**
 * The target of a request that comes from a client of ours.
 *
 * A browser sends `Origin` with all that could do harm, and another `Host` if it was led here by a name: neither
 * can reach a Unix socket by itself, but through a proxy it could.
 *
 * @throws AuthdError `bad_request`
 */
export function admit(request: IncomingMessage): Target {
  if (request.headers.origin !== undefined) {
    throw new AuthdError('bad_request', 'requests with an Origin header are refused', {
      hint: 'this socket is not for browsers',
    });
  }
  const hosts = request.headersDistinct['host'] ?? [];
  if (hosts.length !== 1 || hosts[0]?.toLowerCase() !== 'localhost') {
    throw new AuthdError('bad_request', 'the Host of a request must be localhost, once and without a port', {
      hint: 'use http://localhost/… as the address',
    });
  }
  return readTarget(request.url ?? '');
}

/** Compares as it stands, without decoding: every path of ours is plain, and nothing can be smuggled in. */
function readTarget(target: string): Target {
  if (!target.startsWith('/')) {
    throw new AuthdError('bad_request', 'the target of a request must be a path that starts with a slash');
  }
  const mark = target.indexOf('?');
  if (mark === -1) return { path: target, search: '' };
  return { path: target.slice(0, mark), search: target.slice(mark + 1) };
}
