import { createServer, type Server, type ServerResponse } from 'node:http';
import { describeError } from '../errors.js';
import { pause } from '../os/clock.js';
import { adoptSocket } from './adopt-socket.js';
import { productOf } from './answer.js';
import { createAskers } from './askers.js';
import { trackConnections } from './connections.js';
import { isStale, type EventStream, type ServerContext, type ServerOptions } from './context.js';
import { createRequestCounts } from './counts.js';
import { createEventTexts } from './event-texts.js';
import { answerRequest } from './exchange.js';
import { DEFAULT_LIMITS, fitToOpenFiles, type ServerLimits } from './limits.js';
import { listenAt } from './listen.js';
import { answerMalformed } from './malformed.js';
import { createMetrics } from './metrics.js';
import { describeRoutes } from './openapi.js';
import { ROUTES } from './routes.js';

export type { ServerOptions } from './context.js';

/** How long whoever has connected may take to send a request, when the daemon makes way for its successor. */
const FIRST_WORD_MS = 100;

export interface RunningServer {
  readonly socketPath: string;
  /** Ends the event streams of accounts that are kept no more, or kept anew. */
  endStale(): void;
  /**
   * Removes the socket, ends the event streams, lets answers in flight end for a second and then cuts them off.
   * Never rejects; calling it again gives the same promise.
   */
  close(): Promise<void>;
}

/**
 * Serves the socket contract, version 1.
 *
 * @throws AuthdError `bad_socket` if the socket cannot be made safely, `already_running` if somebody listens there
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const limits = await fitToOpenFiles({ ...DEFAULT_LIMITS, ...options.limits });
  const context = createContext(options, limits);
  const { log, clock, socketPath, listener } = options;
  const server = createHttpServer(limits);
  const connections = trackConnections(server, limits);
  server.on('request', (request, response) => {
    connections.take(response, (received) => {
      void answerRequest(context, request, response, received);
    });
  });
  // An expectation that we don't know is no reason to refuse (RFC 9110 §10.1.1); node:http would, without our headers.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  answerMalformed(server, connections, productOf(options.version));
  const bound =
    listener === undefined
      ? await listenAt(server, socketPath, log)
      : await adoptSocket(server, listener, socketPath);
  server.on('error', (error) => {
    log.error({ error: describeError(error) }, 'the socket has a failure');
  });

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    try {
      bound.remove();
    } catch (error) {
      log.warn({ error: describeError(error) }, 'the socket could not be removed');
    }
    for (const stream of context.streams) stream.end();
    const closed = new Promise((resolve) => server.close(resolve));
    // Who has just been let in here, and not yet said a word, could have had an answer from our successor.
    if (bound.outlivesUs) await pause(clock, FIRST_WORD_MS);
    connections.finish();
    const cancel = clock.after(limits.closeGraceMs, () => {
      connections.destroyAll();
    });
    await closed;
    cancel();
  }
  return {
    socketPath,
    endStale() {
      for (const stream of context.streams) if (isStale(context, stream.keeper)) stream.end();
    },
    close: () => (closing ??= close()),
  };
}

function createContext(options: ServerOptions, limits: ServerLimits): ServerContext {
  const source = {
    ...options,
    counts: createRequestCounts(),
    askers: createAskers(options.clock),
    inFlight: new Set<ServerResponse>(),
    streams: new Set<EventStream>(),
    texts: createEventTexts(),
  };
  let openapi: string | undefined;
  return {
    ...source,
    limits,
    openapi: () => (openapi ??= JSON.stringify(describeRoutes(ROUTES, options.version))),
    metrics: createMetrics(source),
  };
}

function createHttpServer(limits: ServerLimits): Server {
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.timeoutCheckMs,
    keepAliveTimeout: limits.keepAliveMs,
    // node:http would refuse a request without Host in its own words: the refusal has to be a problem like others.
    requireHostHeader: false,
  });
  // Above its limit node:http drops headers in silence, and an Origin among them; headerBytes is limit enough.
  server.maxHeadersCount = 0;
  // A last resort: before it, the oldest connection is made to give way, but is not closed in the same instant.
  server.maxConnections = Math.ceil(limits.connections * 1.5);
  return server;
}
