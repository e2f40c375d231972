import type { StatusBody } from '../protocol.js';
import { ANSWER_MARGIN_MS } from './deadline.js';
import { strangeAnswer } from './failures.js';
import { ask } from './request.js';
import { isStatusBody } from './shapes.js';

/**
 * What the daemon says of itself and of every account.
 *
 * @param socket the socket's path, as `findSocket` gives it
 * @throws AuthdError `daemon_not_running`, `bad_socket`, `bad_answer`, `timeout`, or the code of the daemon's problem
 */
export async function readStatus(socket: string, signal?: AbortSignal): Promise<StatusBody> {
  const body = await ask({ socket, method: 'GET', path: '/v1/status', deadlineMs: ANSWER_MARGIN_MS, signal });
  if (!isStatusBody(body)) throw strangeAnswer(socket, 'it is not a status');
  return body;
}
