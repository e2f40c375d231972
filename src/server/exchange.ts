import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeError } from '../errors.js';
import { admit } from './admit.js';
import { productOf, sendAnswer, type Answer } from './answer.js';
import type { ServerContext } from './context.js';
import { problemAnswer, readProblem } from './problem.js';
import { parseQuery } from './query.js';
import { hasBody, receiveBody } from './receive.js';
import { allowedMethods, findRoute, lookUpRoute } from './routes.js';

/** What is counted and logged in place of a path that is none of ours: nothing that a client made up gets there. */
const NO_ROUTE = 'none';

/** One request on its way through the server. */
interface Journey {
  readonly context: ServerContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly received: () => void;
  /** The path of the route, once it is known. */
  path: string;
}

/**
 * The whole life of one request, from its headers to the end of its answer. Calls `received` when all of it is there.
 * Never rejects.
 */
export async function answerRequest(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  received: () => void,
): Promise<void> {
  const startedMs = performance.now();
  const journey: Journey = { context, request, response, received, path: NO_ROUTE };
  response.once('close', () => {
    const ms = Math.round((performance.now() - startedMs) * 10) / 10;
    const status = response.headersSent ? response.statusCode : 'abandoned';
    context.log.debug({ method: request.method, path: journey.path, status, ms }, 'request');
  });
  try {
    send(journey, await work(journey));
  } catch (error) {
    reportFailure(journey, error);
    response.destroy();
  }
}

/** The answer to a request, which may be a problem; never rejects because of the request. */
async function work(journey: Journey): Promise<Answer> {
  const { context } = journey;
  try {
    const bytes = await receive(journey);
    enter(journey);
    return await handle(journey, bytes);
  } catch (error) {
    const problem = readProblem(error);
    if (problem === null) reportFailure(journey, error);
    const answer = problemAnswer(error, context.clock.now());
    if (problem?.code !== 'method_not_allowed') return answer;
    return { ...answer, headers: { ...answer.headers, Allow: allowedMethods(journey.path).join(', ') } };
  }
}

/** Comes before every refusal: what would be left of a body would be taken for the next request. */
function receive({ context: { limits }, request }: Journey): Promise<Buffer> | Buffer {
  if (!hasBody(request)) return Buffer.alloc(0);
  const [path = ''] = (request.url ?? '').split('?', 1);
  const keep = lookUpRoute(request.method ?? '', path)?.body !== undefined;
  return receiveBody(request, { keep, limitBytes: keep ? limits.keptBodyBytes : limits.bodyBytes });
}

/** All of the request is there. */
function enter({ context, response, received }: Journey): void {
  received();
  if (response.closed) return;
  context.inFlight.add(response);
  response.once('close', () => context.inFlight.delete(response));
}

function handle(journey: Journey, bytes: Buffer): Answer | Promise<Answer> {
  const { context, request, response } = journey;
  const { path, search } = admit(request);
  if (allowedMethods(path).length > 0) journey.path = path;
  const route = findRoute(request.method ?? '', path);
  const query = parseQuery(search, route.parameters);
  const body = { contentType: request.headers['content-type'], bytes };
  return route.handle({ context, request, query, body, disconnected: () => disconnectSignal(response) });
}

function send({ context, request, response, path }: Journey, answer: Answer): void {
  if (request.socket.destroyed) return;
  const { clock, counts, limits, version } = context;
  counts.add(path, answer.status);
  sendAnswer(response, answer, {
    product: productOf(version),
    head: request.method === 'HEAD',
    // What follows on this connection is the rest of a body that nobody wants.
    last: answer.status === 413,
    clock,
    stallMs: limits.stallMs,
  });
}

/** Whoever waits for a client that has gone away ends in an error too, which is of no interest. */
function reportFailure({ context, request, path }: Journey, error: unknown): void {
  if (request.socket.destroyed) return;
  context.log.error({ path, error: describeError(error), stack: stackOf(error) }, 'a request failed');
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

function disconnectSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  if (response.destroyed) controller.abort();
  return controller.signal;
}
