import { AuthdError } from '../errors.js';
import {
  DEFAULT_WAIT_SECONDS,
  LONGEST_MIN_VALID_SECONDS,
  LONGEST_WAIT_SECONDS,
  type CredentialBody,
} from '../protocol.js';
import { chooseAccount } from './choose-account.js';
import { ANSWER_MARGIN_MS } from './deadline.js';
import { strangeAnswer } from './failures.js';
import { findSocket } from './find-socket.js';
import { ask } from './request.js';
import { isCredentialBody } from './shapes.js';

/** How to ask for a credential. */
export interface CredentialOptions {
  /** The socket's path; found as the command line finds it if absent. */
  readonly socket?: string | undefined;
  /** The account's name; `$CODEX_AUTHD_ACCOUNT`, else `default`, if absent. */
  readonly account?: string | undefined;
  /** For how many seconds the token must stay valid, 0 to 30 days; 60 if absent. */
  readonly minValid?: number | undefined;
  /** How many seconds the daemon may wait for a new token, 0 to 600; 25 if absent. */
  readonly wait?: number | undefined;
  /** Gives up the request; what the daemon has begun, it finishes. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The current credential of an account. The daemon rotates first if what it has does not stay valid for as long as
 * is asked.
 *
 * @throws AuthdError `daemon_not_running` if nobody answers, `login_required` or `logged_out` if a person has to log
 *   in, another problem code if nothing valid can be served now (`retryAtMs` says when to ask again), `bad_request` if
 *   an option is out of range, `bad_configuration`, `bad_socket`, `bad_answer` or `timeout`
 * @throws the reason of `signal`, if that is aborted first
 */
export async function readCredential(options: CredentialOptions = {}): Promise<CredentialBody> {
  const { minValid, wait, signal } = options;
  checkSeconds('minValid', minValid, LONGEST_MIN_VALID_SECONDS);
  checkSeconds('wait', wait, LONGEST_WAIT_SECONDS);
  const account = chooseAccount(options.account, process.env);
  const socket = await findSocket({ socket: options.socket, env: process.env });
  const body = await ask({
    socket,
    method: 'GET',
    path: '/v1/credential',
    query: { account, min_valid: minValid, wait },
    deadlineMs: waitingMs(wait),
    signal,
  });
  return checkCredential(body, account, socket);
}

/** How long to wait for the answer to a request that may itself wait, in milliseconds. */
export function waitingMs(waitSeconds: number | undefined): number {
  return (waitSeconds ?? DEFAULT_WAIT_SECONDS) * 1000 + ANSWER_MARGIN_MS;
}

/** Takes an answer for a credential only if it is one, and of the account that was asked for. */
export function checkCredential(body: unknown, account: string | undefined, socket: string): CredentialBody {
  if (!isCredentialBody(body)) throw strangeAnswer(socket, 'it is not a credential');
  if (account !== undefined && body.account !== account) {
    throw strangeAnswer(socket, `it is a credential of the account ${body.account}, not of ${account}`);
  }
  return body;
}

/** @throws AuthdError `bad_request` unless it is a whole number of seconds in the range that the daemon takes */
export function checkSeconds(name: string, seconds: number | undefined, longest: number): void {
  if (seconds === undefined) return;
  if (!Number.isSafeInteger(seconds) || seconds < 0 || seconds > longest) {
    throw new AuthdError('bad_request', `${name} is not a number of seconds: ${String(seconds)}`, {
      hint: `give a whole number from 0 to ${String(longest)}`,
    });
  }
}
