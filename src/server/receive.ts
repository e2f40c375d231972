import type { IncomingMessage } from 'node:http';
import { AuthdError } from '../errors.js';

/** What may come as the body of a request, and what becomes of it. */
export interface BodyReception {
  readonly limitBytes: number;
  /** Whether the route takes a body; else it is read away, so that nobody can fill the memory with it. */
  readonly keep: boolean;
}

/** Whether a request says that a body follows. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/**
 * Reads the body of a request to its end; resolves with its bytes, none if they are not kept.
 *
 * @throws AuthdError `too_large`; `bad_request` if the client goes away before its end, so that half a request
 *   has no effect
 */
export function receiveBody(request: IncomingMessage, { limitBytes, keep }: BodyReception): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const kept: Buffer[] = [];
    let bytes = 0;
    const count = (more: number): void => {
      bytes += more;
      if (bytes <= limitBytes) return;
      kept.length = 0;
      reject(
        new AuthdError('too_large', `the body of a request may have ${String(limitBytes)} bytes at most`, {
          hint: keep ? 'see GET /v1/openapi.json for what it takes' : 'this request needs no body',
        }),
      );
    };
    request.once('end', () => {
      resolve(Buffer.concat(kept));
    });
    request.once('close', () => {
      reject(new AuthdError('bad_request', 'the request ended before its body'));
    });
    request.on('data', (chunk: Buffer) => {
      count(chunk.length);
      if (keep && bytes <= limitBytes) kept.push(chunk);
    });
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limitBytes) count(announced);
  });
}
