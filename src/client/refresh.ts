import type { CredentialBody } from '../protocol.js';
import { checkCredential, waitingMs } from './credential.js';
import { ask } from './request.js';

/** How to ask for a rotation. */
export interface RefreshOptions {
  /** The socket's path, as `findSocket` gives it. */
  readonly socket: string;
  readonly account?: string | undefined;
  /** How many seconds the daemon may take, 0 to 600; 25 if absent. */
  readonly wait?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the daemon rotate now, and gives the new credential.
 *
 * @throws AuthdError `rate_limited` if the last one was less than 5 s ago, else as `readCredential`
 */
export async function refreshCredential(options: RefreshOptions): Promise<CredentialBody> {
  const { socket, account, wait, signal } = options;
  const body = await ask({
    socket,
    method: 'POST',
    path: '/v1/refresh',
    query: { account, wait },
    deadlineMs: waitingMs(wait),
    signal,
  });
  return checkCredential(body, account, socket);
}
