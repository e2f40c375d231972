import type { ServerResponse } from 'node:http';
import type { Clock } from '../os/clock.js';
import { PRODUCT } from '../protocol.js';

/** What a handler gives back: a whole answer, or one that goes on. */
export type Answer = WholeAnswer | StreamedAnswer;

export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface StreamedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Takes the response over once its headers are written. */
  readonly stream: (response: ServerResponse) => void;
}

/** How an answer is sent, beside what is in it. */
export interface Sending {
  /** What the daemon calls itself, with its version. */
  readonly product: string;
  readonly head: boolean;
  /** Whether this is the last answer on its connection. */
  readonly last: boolean;
  readonly clock: Clock;
  /** How long a reader may leave it unread, in milliseconds. */
  readonly stallMs: number;
}

/** The daemon's name and version, as the `Server` header has them. */
export function productOf(version: string): string {
  return `${PRODUCT}/${version}`;
}

export function jsonAnswer(
  status: number,
  value: object,
  headers: Readonly<Record<string, string>> = {},
): WholeAnswer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

export function textAnswer(status: number, contentType: string, body: string): WholeAnswer {
  return { status, headers: { 'Content-Type': contentType }, body };
}

/** Writes an answer. Whatever it is, it is not to be stored by anyone, and says which version gave it. */
export function sendAnswer(response: ServerResponse, answer: Answer, sending: Sending): void {
  const headers: Record<string, string | number> = {
    Server: sending.product,
    'Cache-Control': 'no-store',
    ...answer.headers,
  };
  if (sending.last) headers['Connection'] = 'close';
  if ('stream' in answer) {
    response.writeHead(answer.status, headers);
    if (sending.head) response.end();
    else answer.stream(response);
    return;
  }
  if (answer.status !== 304) headers['Content-Length'] = Buffer.byteLength(answer.body);
  response.writeHead(answer.status, headers);
  response.end(sending.head ? undefined : answer.body);
  dropUnreadAnswer(response, sending);
}

/** A reader that never reads would keep its connection for ever: no timeout of node:http counts for answers. */
function dropUnreadAnswer(response: ServerResponse, { clock, stallMs }: Sending): void {
  const { socket } = response;
  if (socket === null || socket.writableLength === 0) return;
  const cancel = clock.after(stallMs, () => {
    socket.destroy();
  });
  response.once('close', cancel);
}
