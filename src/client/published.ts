import { isAbsolute } from 'node:path';
import { AuthdError } from '../errors.js';
import { LONGEST_WAIT_SECONDS, type PublishedBody } from '../protocol.js';
import { chooseAccount } from './choose-account.js';
import { checkSeconds, waitingMs } from './credential.js';
import { strangeAnswer } from './failures.js';
import { findSocket } from './find-socket.js';
import { ask, type Ask } from './request.js';
import { isPublishedBody, isUnpublishedBody } from './shapes.js';

/** Where the credential shall lie as a file, and how to say so. */
export interface PublishOptions {
  /** The directory, absolute: the `CODEX_HOME` of whoever must not hold a refresh token. */
  readonly directory: string;
  /** The socket's path; found as the command line finds it if absent. */
  readonly socket?: string | undefined;
  /** The account's name; `$CODEX_AUTHD_ACCOUNT`, else `default`, if absent. */
  readonly account?: string | undefined;
  /** How many seconds the daemon may take, 0 to 600; 25 if absent. */
  readonly wait?: number | undefined;
  /** Gives up the request; what the daemon has begun, it finishes. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the daemon keep an auth.json without a refresh token in a directory, also after it was restarted. Resolves when
 * the file is there, durably. The directory is made, 0700, if its parent is there.
 *
 * @throws AuthdError `bad_request` if the directory cannot be one, for example because its auth.json is somebody else's;
 *   `unavailable` if it cannot be written; `unsupported` if the login is a key; else as `readCredential`
 * @throws the reason of `signal`, if that is aborted first
 */
export async function publish(options: PublishOptions): Promise<PublishedBody> {
  const request = await requestOf('PUT', options);
  const body = await ask(request);
  if (!isPublishedBody(body)) throw strangeAnswer(request.socket, 'it does not say what was published');
  return body;
}

/**
 * Stops that, and removes the file unless it is somebody else's by now.
 *
 * @throws AuthdError `not_found` if nothing is published there, `bad_request` if the configuration of the daemon says so,
 *   `unavailable` if the file cannot be removed; else as `readCredential`
 * @throws the reason of `signal`, if that is aborted first
 */
export async function unpublish(options: PublishOptions): Promise<void> {
  const request = await requestOf('DELETE', options);
  if (!isUnpublishedBody(await ask(request))) {
    throw strangeAnswer(request.socket, 'it does not say what became of the file');
  }
}

async function requestOf(method: 'PUT' | 'DELETE', options: PublishOptions): Promise<Ask> {
  const { directory, wait, signal } = options;
  if (!isAbsolute(directory)) {
    throw new AuthdError('bad_request', `\`directory\` is not an absolute path: ${directory}`, {
      hint: 'the daemon has another working directory: give the whole path',
    });
  }
  checkSeconds('wait', wait, LONGEST_WAIT_SECONDS);
  const socket = await findSocket({ socket: options.socket, env: process.env });
  const deadlineMs = waitingMs(wait);
  return {
    socket,
    method,
    path: '/v1/published',
    query: { account: chooseAccount(options.account, process.env), wait },
    body: { directory },
    deadlineMs,
    signal,
  };
}
