import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ServerLimits } from './limits.js';

/** Every open connection, each with at most one request that is being answered. */
export interface Connections {
  /**
   * Calls `answer` when every earlier request of the connection has been answered. node:http would start them all
   * at once and keep the answers back: hundreds of waiting requests from one client, and tokens that expire in a
   * queue. A connection counts as idle until `answer` says that the whole request has been received.
   */
  take(response: ServerResponse, answer: Turn['answer']): void;
  /** The response that is being answered on a connection, if any. */
  current(socket: Socket): ServerResponse | undefined;
  /** Ends what is idle now, and everything else after its answer. */
  finish(): void;
  destroyAll(): void;
}

interface Connection {
  current: ServerResponse | undefined;
  readonly queue: Turn[];
}

interface Turn {
  readonly response: ServerResponse;
  readonly answer: (received: () => void) => void;
}

export function trackConnections(server: Server, limits: ServerLimits): Connections {
  const open = new Map<Socket, Connection>();
  /** Those without a whole request, the one that has been so for longest first. */
  const idle = new Set<Socket>();
  let finishing = false;

  server.on('connection', (socket: Socket) => {
    if (open.size >= limits.connections) makeRoom();
    open.set(socket, { current: undefined, queue: [] });
    idle.add(socket);
    socket.once('close', () => {
      forget(socket);
    });
  });

  /** A client that holds thousands of connections must not lock the others out: the oldest has to go. */
  function makeRoom(): void {
    const oldest = first(idle) ?? first(open.keys());
    if (oldest === undefined) return;
    forget(oldest);
    oldest.destroy();
  }

  function forget(socket: Socket): void {
    open.delete(socket);
    idle.delete(socket);
  }

  function advance(socket: Socket, connection: Connection): void {
    if (socket.destroyed) return;
    const turn = finishing ? undefined : connection.queue.shift();
    connection.current = turn?.response;
    idle.add(socket);
    if (turn === undefined) {
      if (finishing) socket.destroySoon();
      return;
    }
    turn.response.once('close', () => {
      advance(socket, connection);
    });
    turn.answer(() => idle.delete(socket));
  }

  return {
    take(response, answer) {
      const { socket } = response.req;
      const connection = open.get(socket);
      if (connection === undefined) return;
      if (connection.queue.length >= limits.queuedRequests) {
        socket.destroy();
        return;
      }
      connection.queue.push({ response, answer });
      if (connection.current === undefined) advance(socket, connection);
    },
    current: (socket) => open.get(socket)?.current,
    finish() {
      finishing = true;
      for (const [socket, { current }] of open) {
        if (current === undefined) socket.destroy();
        else current.shouldKeepAlive = false;
      }
    },
    destroyAll() {
      for (const socket of open.keys()) socket.destroy();
    },
  };
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
