import { AuthdError } from '../errors.js';
import { LONGEST_WAIT_SECONDS, type CredentialBody } from '../protocol.js';
import { chooseAccount } from './choose-account.js';
import { checkCredential, checkSeconds, waitingMs } from './credential.js';
import { strangeAnswer } from './failures.js';
import { findSocket } from './find-socket.js';
import { ask } from './request.js';

/** Which token was rejected, and how to say so. */
export interface RejectedOptions {
  /** The `fingerprint` of the credential whose token was answered with a 401. */
  readonly fingerprint: string;
  /** The socket's path; found as the command line finds it if absent. */
  readonly socket?: string | undefined;
  /** The account's name; `$CODEX_AUTHD_ACCOUNT`, else `default`, if absent. */
  readonly account?: string | undefined;
  /** How many seconds the daemon may wait for a new token, 0 to 600; 25 if absent. */
  readonly wait?: number | undefined;
  /** Gives up the request; what the daemon has begun, it finishes. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tells the daemon that a token was answered with a 401, and gives another credential: the current one at once if it is
 * another by now, else the one after a rotation. However many report the same token, it is rotated once.
 *
 * @throws AuthdError `rate_limited` if a reported token was renewed less than a minute ago (`retryAtMs` says when to
 *   report again), `unsupported` if the login is a key that cannot be renewed, else as `readCredential`
 * @throws the reason of `signal`, if that is aborted first
 */
export async function reportRejected(options: RejectedOptions): Promise<CredentialBody> {
  const { fingerprint, wait, signal } = options;
  if (!/^[0-9a-f]{12}$/.test(fingerprint)) {
    // Not repeated: it may be the token itself.
    throw new AuthdError('bad_request', '`fingerprint` is not the fingerprint of a token', {
      hint: 'give the `fingerprint` of the credential that was rejected',
    });
  }
  checkSeconds('wait', wait, LONGEST_WAIT_SECONDS);
  const account = chooseAccount(options.account, process.env);
  const socket = await findSocket({ socket: options.socket, env: process.env });
  const body = await ask({
    socket,
    method: 'POST',
    path: '/v1/rejected',
    query: { account, wait },
    body: { fingerprint },
    deadlineMs: waitingMs(wait),
    signal,
  });
  const credential = checkCredential(body, account, socket);
  if (credential.fingerprint === fingerprint) throw strangeAnswer(socket, 'it is the rejected token again');
  return credential;
}
