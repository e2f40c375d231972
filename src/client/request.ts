import type { IncomingMessage } from 'node:http';
import { systemErrorCode } from '../errors.js';
import { ANSWERED } from './answered.js';
import { startDeadline } from './deadline.js';
import { connectionError, isLostConnection, problemError, strangeAnswer } from './failures.js';

/** One request to the daemon. */
export interface Ask {
  /** The socket's path, as `findSocket` gives it. */
  readonly socket: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** For example `/v1/credential`. */
  readonly path: string;
  /** What is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON; none if absent. */
  readonly body?: object;
  /** How long the answer may take, in milliseconds. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The largest answer, and the largest event: far above any credential or status, far below what would hurt. */
export const LARGEST_ANSWER_BYTES = 1024 * 1024;

/**
 * Asks over a connection of its own, and gives the JSON of the answer. Where the daemon ends in the middle of that, as it
 * does for its successor, what only reads is asked once more.
 *
 * @throws AuthdError `daemon_not_running`, `bad_socket`, `bad_answer`, `timeout`, or the code of the daemon's problem
 * @throws the reason of `signal`, if that is aborted first
 */
export async function ask(request: Ask): Promise<unknown> {
  const deadline = startDeadline(request.deadlineMs, request.signal);
  try {
    return await askOnce(request, deadline.signal);
  } catch (error) {
    if (request.method !== 'GET' || !isLostConnection(error)) throw error;
    return await askOnce(request, deadline.signal);
  } finally {
    deadline.release();
  }
}

async function askOnce(request: Ask, signal: AbortSignal): Promise<unknown> {
  const response = await open(request, signal);
  return readAnswer(response, request.socket, signal);
}

/** How long to wait before connecting again where the daemon's queue of connections is full: from, and at most. */
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;

/**
 * Sends the request and resolves with the head of the answer, whatever its status. `signal` ends the connection,
 * also after that.
 *
 * @throws as {@link ask}
 */
export async function open(request: Ask, signal: AbortSignal): Promise<IncomingMessage> {
  for (let pauseMs = SHORTEST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      return await send(request, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A daemon that lives and is busy. Nothing of the request has reached it: asking again repeats nothing.
      if (systemErrorCode(error) !== 'EAGAIN') throw connectionError(error, request.socket);
    }
    const { setTimeout: sleep } = await import('node:timers/promises');
    // Ends early if the signal is aborted, which is noticed above.
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function send(request: Ask, signal: AbortSignal): Promise<IncomingMessage> {
  // Not before it is needed: whoever imports the library need not use it (facts 5.10).
  const [{ request: dial }, { connect }, { channel }] = await Promise.all([
    import('node:http'),
    import('node:net'),
    import('node:diagnostics_channel'),
  ]);
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const outgoing = dial({
    // Without an agent: all that it would do for a connection that is used once costs 5 ms of a start-up.
    createConnection: () => connect({ path: request.socket }),
    method: request.method,
    path: pathAndQuery(request),
    headers: {
      host: 'localhost',
      accept: 'application/json, application/problem+json, text/event-stream',
      // The length is named because node:http would say nothing of a body that follows a DELETE.
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
    },
    signal,
  });
  return new Promise((resolve, reject) => {
    outgoing.on('response', (response) => {
      channel(ANSWERED).publish(response.headers['server']);
      resolve(response);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/**
 * Reads a whole answer and gives the JSON of a success.
 *
 * @throws as {@link ask}
 */
export async function readAnswer(
  response: IncomingMessage,
  socket: string,
  signal: AbortSignal,
): Promise<unknown> {
  const body = await readBody(response, socket, signal);
  const status = response.statusCode ?? 0;
  const type = mediaType(response);
  if (status >= 400 && type === 'application/problem+json') throw problemError(parse(body, socket), socket);
  if (status !== 200) throw strangeAnswer(socket, `status ${String(status)} without a problem`);
  if (type !== 'application/json') throw strangeAnswer(socket, `it is ${type === '' ? 'of no type' : type}`);
  return parse(body, socket);
}

/** The media type of an answer, without parameters; empty if it names none. */
export function mediaType(response: IncomingMessage): string {
  const [type = ''] = (response.headers['content-type'] ?? '').split(';');
  return type.trim().toLowerCase();
}

async function readBody(response: IncomingMessage, socket: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > LARGEST_ANSWER_BYTES) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(error, socket);
  }
  if (bytes > LARGEST_ANSWER_BYTES) {
    throw strangeAnswer(socket, `it is larger than ${String(LARGEST_ANSWER_BYTES)} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string, socket: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw strangeAnswer(socket, 'it is not JSON');
  }
}

function pathAndQuery({ path, query = {} }: Ask): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? path : `${path}?${parameters.toString()}`;
}
