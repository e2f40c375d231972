import type { IncomingMessage } from 'node:http';
import { AuthdError } from '../errors.js';

/** Whether a request says that a body follows. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/**
 * Reads the body of a request away.
 *
 * @throws AuthdError `too_large`; `bad_request` if the client goes away before its end, so that half a request
 *   has no effect
 */
export function drainBody(request: IncomingMessage, limitBytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const count = (more: number): void => {
      bytes += more;
      if (bytes <= limitBytes) return;
      reject(
        new AuthdError('too_large', `the body of a request may have ${String(limitBytes)} bytes at most`, {
          hint: 'no request needs a body',
        }),
      );
    };
    request.once('end', resolve);
    request.once('close', () => {
      reject(new AuthdError('bad_request', 'the request ended before its body'));
    });
    request.on('data', (chunk: Buffer) => {
      count(chunk.length);
    });
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limitBytes) count(announced);
  });
}
