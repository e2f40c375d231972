import { AuthdError } from '../errors.js';
import type { Answer } from './answer.js';
import type { Exchange } from './context.js';
import { answerCredential, answerRefresh, answerRejected, answerToken } from './credential.js';
import { answerEvents } from './events.js';
import { answerMetrics, answerOpenapi } from './documents.js';
import { parseBody } from './parse-body.js';
import { answerPublish, answerUnpublish } from './published.js';
import type { ParameterName } from './query.js';
import type { BodyName, BodyOf } from './request-bodies.js';
import type { SchemaName } from './schemas.js';
import { answerHealth, answerStatus } from './status.js';

/** One row of the socket contract. What answers, what is refused and what is documented all come from it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly ParameterName[];
  /** The body that it takes; a route without one has no use for what is sent. See {@link takesBody}. */
  readonly body?: BodyName;
  readonly answers: readonly DescribedAnswer[];
  /** The statuses of its own problems, beside those that any request can meet. */
  readonly problems: readonly (404 | 429 | 503)[];
  readonly handle: (exchange: Exchange) => Answer | Promise<Answer>;
}

export interface DescribedAnswer {
  readonly status: number;
  readonly description: string;
  /** Null for an answer without a body. */
  readonly contentType: string | null;
  /** The schema of a JSON body; null for one that is no JSON. */
  readonly schema: SchemaName | null;
  /** For `text/event-stream`: the schema of each event's data, by the event's name. */
  readonly events?: Readonly<Record<string, SchemaName>>;
}

export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/credential',
    operationId: 'getCredential',
    summary: 'The current credential',
    description:
      'If it does not stay valid for as long as `min_valid` says, it is rotated first, and the answer waits ' +
      'for that. All who wait share one rotation. The ETag is the generation.',
    parameters: ['account', 'min_valid', 'wait', 'asker'],
    answers: [
      {
        status: 200,
        description: 'A credential that is valid now',
        contentType: 'application/json',
        schema: 'Credential',
      },
      {
        status: 304,
        description: 'If-None-Match names the current generation',
        contentType: null,
        schema: null,
      },
    ],
    problems: [404, 503],
    handle: answerCredential,
  },
  {
    method: 'GET',
    path: '/v1/token',
    operationId: 'getToken',
    summary: 'The access token alone',
    description: 'For shell scripts: the access token and a newline, nothing else.',
    parameters: ['account', 'min_valid', 'wait', 'asker'],
    answers: [
      {
        status: 200,
        description: 'The access token and a newline',
        contentType: 'text/plain; charset=utf-8',
        schema: null,
      },
    ],
    problems: [404, 503],
    handle: answerToken,
  },
  {
    method: 'POST',
    path: '/v1/rejected',
    operationId: 'reportRejected',
    summary: 'The token was answered with a 401',
    description:
      'Gives another credential than the reported one: the current one at once if it is another, else the one ' +
      'after a rotation. All who report the same token wait for the same rotation, and there is at most one a ' +
      'minute on such reports. Nobody else is kept from the token meanwhile.',
    parameters: ['account', 'min_valid', 'wait'],
    ...takesBody('Rejection', answerRejected),
    answers: [
      {
        status: 200,
        description: 'A credential with another token, that is valid now',
        contentType: 'application/json',
        schema: 'Credential',
      },
    ],
    problems: [404, 429, 503],
  },
  {
    method: 'POST',
    path: '/v1/refresh',
    operationId: 'refresh',
    summary: 'Rotate now',
    description:
      'Rotates whatever is left, or joins the rotation in flight. At most once in 5 seconds. The answer is ' +
      'always the newest credential, so `min_valid` changes nothing here.',
    parameters: ['account', 'min_valid', 'wait'],
    answers: [
      {
        status: 200,
        description: 'The new credential',
        contentType: 'application/json',
        schema: 'Credential',
      },
    ],
    problems: [404, 429, 503],
    handle: answerRefresh,
  },
  {
    method: 'PUT',
    path: '/v1/published',
    operationId: 'publish',
    summary: 'Keep the credential as a file in a directory',
    description:
      'From now on, and across restarts, the auth.json in that directory has the current access token and no refresh ' +
      'token: Codex uses it and never writes it. It is replaced at each rotation, and removed when there is no valid ' +
      'credential. The answer comes when it is there, durably. A file that was not published by this account is ' +
      'left alone, and so is the home of every account.',
    parameters: ['account', 'wait'],
    ...takesBody('Directory', answerPublish),
    answers: [
      {
        status: 200,
        description: 'The credential that is in the file',
        contentType: 'application/json',
        schema: 'Published',
      },
    ],
    problems: [404, 503],
  },
  {
    method: 'DELETE',
    path: '/v1/published',
    operationId: 'unpublish',
    summary: 'Stop that, and remove the file',
    description: 'A file that somebody else has put there meanwhile stays.',
    parameters: ['account', 'wait'],
    ...takesBody('Directory', answerUnpublish),
    answers: [
      {
        status: 200,
        description: 'It is not published there any more',
        contentType: 'application/json',
        schema: 'Unpublished',
      },
    ],
    problems: [404, 503],
  },
  {
    method: 'GET',
    path: '/v1/events',
    operationId: 'watch',
    summary: 'Every new credential and every change of state',
    description:
      'Server-sent events. `state` with the full status comes at once, then `credential` if there is one; ' +
      'each is sent again, whole, whenever it changes. The id of a `credential` event is its generation. ' +
      'A slow reader is sent only the newest of each.',
    parameters: ['account'],
    answers: [
      {
        status: 200,
        description: 'A stream that goes on until one side ends it',
        contentType: 'text/event-stream',
        schema: null,
        events: { state: 'AccountStatus', credential: 'Credential' },
      },
    ],
    problems: [404],
    handle: answerEvents,
  },
  {
    method: 'GET',
    path: '/v1/status',
    operationId: 'getStatus',
    summary: 'The daemon and its accounts',
    description: 'Never holds a token.',
    parameters: [],
    answers: [{ status: 200, description: 'The status', contentType: 'application/json', schema: 'Status' }],
    problems: [],
    handle: answerStatus,
  },
  {
    method: 'GET',
    path: '/v1/openapi.json',
    operationId: 'getOpenapi',
    summary: 'This document',
    description: 'OpenAPI 3.1.',
    parameters: [],
    answers: [
      {
        status: 200,
        description: 'The description of this API',
        contentType: 'application/json',
        schema: 'Openapi',
      },
    ],
    problems: [],
    handle: answerOpenapi,
  },
  {
    method: 'GET',
    path: '/metrics',
    operationId: 'getMetrics',
    summary: 'Metrics for Prometheus',
    description: 'Never holds a token or a fingerprint.',
    parameters: [],
    answers: [
      {
        status: 200,
        description: 'Prometheus text format',
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        schema: null,
      },
    ],
    problems: [],
    handle: answerMetrics,
  },
  {
    method: 'GET',
    path: '/healthz',
    operationId: 'getHealth',
    summary: 'Whether a credential is served now',
    description: 'For probes: the status says it all.',
    parameters: ['account'],
    answers: [
      {
        status: 200,
        description: 'A credential is served',
        contentType: 'application/json',
        schema: 'Health',
      },
      {
        status: 503,
        description: 'No credential can be served',
        contentType: 'application/json',
        schema: 'Health',
      },
    ],
    problems: [404],
    handle: answerHealth,
  },
];

/** The two fields of a route that takes a body: its handler gets the body as it was read and checked. */
function takesBody<Name extends BodyName>(
  name: Name,
  handle: (exchange: Exchange, body: BodyOf<Name>) => Answer | Promise<Answer>,
): Pick<Route, 'body' | 'handle'> {
  return { body: name, handle: (exchange) => handle(exchange, parseBody(name, exchange.body)) };
}

/** The route for a request, if there is one; HEAD is answered wherever GET is. */
export function lookUpRoute(method: string, path: string): Route | undefined {
  return ROUTES.find(
    (each) => each.path === path && (each.method === method || (each.method === 'GET' && method === 'HEAD')),
  );
}

/**
 * The route for a request.
 *
 * @throws AuthdError `not_found`, `method_not_allowed`
 */
export function findRoute(method: string, path: string): Route {
  const route = lookUpRoute(method, path);
  if (route !== undefined) return route;
  const allowed = allowedMethods(path);
  if (allowed.length === 0) {
    throw new AuthdError('not_found', `there is no path ${JSON.stringify(path.slice(0, 64))}`, {
      hint: 'GET /v1/openapi.json lists every path',
    });
  }
  throw new AuthdError('method_not_allowed', `${path} does not take ${method}`, {
    hint: `it takes ${allowed.join(', ')}`,
  });
}

/** The methods that a path takes, as in an `Allow` header. */
export function allowedMethods(path: string): string[] {
  return ROUTES.filter((route) => route.path === path).flatMap((route) =>
    route.method === 'GET' ? ['GET', 'HEAD'] : [route.method],
  );
}
