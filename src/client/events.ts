import type { Socket } from 'node:net';
import type { EventSourceMessage } from 'eventsource-parser';
import type { EventBodies } from '../protocol.js';
import { ANSWER_MARGIN_MS, startDeadline } from './deadline.js';
import { connectionError, connectionLost, strangeAnswer } from './failures.js';
import { LARGEST_ANSWER_BYTES, mediaType, open, readAnswer } from './request.js';
import { isAccountStatus, isCredentialBody } from './shapes.js';

/** One event: its name, and the full state of its kind. */
export type AuthdEvent = {
  [Name in keyof EventBodies]: { readonly event: Name; readonly data: EventBodies[Name] };
}[keyof EventBodies];

/** Whose events to read. */
export interface EventOptions {
  /** The socket's path, as `findSocket` gives it. */
  readonly socket: string;
  readonly account?: string | undefined;
  /** Ends the stream; what waits for the next event then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the connection once the daemon has answered: for whoever must not be kept alive by it. */
  readonly onConnection?: ((connection: Pick<Socket, 'ref' | 'unref'>) => void) | undefined;
}

/**
 * The events of an account: the present ones at once, then each as it happens. Leaving the loop closes the
 * connection; one connection is all there is, nothing is dialled again.
 *
 * @throws AuthdError `daemon_not_running` if nobody answers or the stream ends, `bad_answer` if what comes is no event,
 *   or the code of the daemon's problem
 */
export async function* readEvents({
  socket,
  account,
  signal,
  onConnection,
}: EventOptions): AsyncGenerator<AuthdEvent, never> {
  const { createParser } = await import('eventsource-parser');
  const deadline = startDeadline(ANSWER_MARGIN_MS, signal);
  try {
    const response = await open(
      { socket, method: 'GET', path: '/v1/events', query: { account }, deadlineMs: ANSWER_MARGIN_MS },
      deadline.signal,
    );
    if (response.statusCode !== 200 || mediaType(response) !== 'text/event-stream') {
      await readAnswer(response, socket, deadline.signal);
      throw strangeAnswer(socket, 'it is not a stream of events');
    }
    deadline.disarm();
    onConnection?.(response.socket);
    const arrived: EventSourceMessage[] = [];
    const parser = createParser({
      maxBufferSize: LARGEST_ANSWER_BYTES,
      onEvent: (message) => arrived.push(message),
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') throw strangeAnswer(socket, 'an event has no end');
      },
    });
    response.setEncoding('utf8');
    for await (const text of chunksOf(response, socket, deadline.signal)) {
      parser.feed(text);
      for (const message of arrived.splice(0)) {
        const event = readEvent(message, socket);
        if (event !== undefined) yield event;
      }
    }
    throw connectionLost(socket);
  } finally {
    deadline.release();
  }
}

async function* chunksOf(
  response: AsyncIterable<string>,
  socket: string,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  try {
    yield* response;
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(error, socket);
  }
}

/** The event in a message; undefined for one that a newer daemon may send. */
function readEvent({ event, data }: EventSourceMessage, socket: string): AuthdEvent | undefined {
  if (event !== 'credential' && event !== 'state') return undefined;
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    throw strangeAnswer(socket, `a ${event} event is not JSON`);
  }
  if (event === 'credential' && isCredentialBody(body)) return { event, data: body };
  if (event === 'state' && isAccountStatus(body)) return { event, data: body };
  throw strangeAnswer(socket, `a ${event} event is not of the shape that it should have`);
}
