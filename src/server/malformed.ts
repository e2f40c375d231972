import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import { AuthdError, systemErrorCode } from '../errors.js';
import type { Connections } from './connections.js';
import { rawProblem } from './problem.js';

/** How long the other side may leave the last words unread. */
const LAST_WORDS_MS = 1000;

/** Answers what node:http cannot read as a request, or hands over as no request, and ends the connection. */
export function answerMalformed(server: Server, connections: Connections, product: string): void {
  server.on('clientError', (error: Error, socket: Duplex) => {
    refuse(socket, problemOf(error));
  });
  server.on('connect', (_request, socket: Duplex) => {
    refuse(socket, new AuthdError('bad_request', 'this is no proxy: CONNECT is refused'));
  });

  function refuse(socket: Duplex, problem: AuthdError): void {
    const answering = socket instanceof Socket ? connections.current(socket) : undefined;
    // Behind an answer that has begun, or that is not read, these bytes would be taken for a part of it.
    const unheard = answering?.headersSent === true || socket.writableLength > 0;
    if (unheard || !socket.writable) {
      socket.destroy();
      return;
    }
    socket.end(rawProblem(problem, product), () => {
      socket.destroy();
    });
    if (socket instanceof Socket) socket.setTimeout(LAST_WORDS_MS, () => socket.destroy());
  }
}

function problemOf(error: Error): AuthdError {
  const code = systemErrorCode(error);
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new AuthdError('too_large', 'the headers of the request are too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AuthdError('bad_request', 'the request took too long to arrive');
    default:
      return new AuthdError('bad_request', `the request is no HTTP/1.1: ${code ?? 'unreadable'}`);
  }
}
