import {
  CODEX_REFRESH_INTERVAL_SECONDS,
  DEFAULT_ACCOUNT,
  DEFAULT_MIN_VALID_SECONDS,
  DEFAULT_WAIT_SECONDS,
  LONGEST_MIN_VALID_SECONDS,
  LONGEST_WAIT_SECONDS,
} from '../protocol.js';
import { PROBLEMS } from './problem.js';
import { ASKER_PATTERN, type ParameterName } from './query.js';
import type { BodyName } from './request-bodies.js';
import type { DescribedAnswer, Route } from './routes.js';
import { SCHEMAS, type Schema, type SchemaName } from './schemas.js';

const DESCRIPTION = `The current Codex credential over a Unix socket (HTTP/1.1).

Every request needs \`Host: localhost\` and no \`Origin\`; HEAD is answered wherever GET is. Failures are RFC 9457
problems whose \`code\` says what happened and whose \`hint\` says what to do next. No answer may be stored, and each names the daemon's version in \`Server\`.`;

/** The problems that any request can meet. */
const COMMON_PROBLEMS: readonly number[] = [400, 405, 413, 500];

const PARAMETERS: Readonly<Record<ParameterName, Schema>> = {
  account: parameter('account', 'The account that is meant.', {
    type: 'string',
    minLength: 1,
    default: DEFAULT_ACCOUNT,
  }),
  min_valid: parameter(
    'min_valid',
    'For how many seconds the credential must stay valid. If less is left, it is rotated first. Where the server ' +
      'issues tokens that are too short for it, the newest one is given after at most one rotation.',
    seconds(DEFAULT_MIN_VALID_SECONDS, LONGEST_MIN_VALID_SECONDS),
  ),
  wait: parameter(
    'wait',
    'For how many seconds to wait at most.',
    seconds(DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
  ),
  asker: parameter(
    'asker',
    "Names the process for which the token is, for example by its pid and start time: Codex's token command says so. " +
      `If it asks again within ${String(CODEX_REFRESH_INTERVAL_SECONDS)} s, the token that it was given counts as ` +
      'rejected, as with `/v1/rejected`; if there is no other one in time, the same is given again while it is valid.',
    { type: 'string', pattern: ASKER_PATTERN, examples: ['4711-8812345'] },
  ),
};

/** The OpenAPI 3.1 document of the routes. */
export function describeRoutes(routes: readonly Route[], version: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = describeRoute(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'codex-authd', version, description: DESCRIPTION },
    servers: [{ url: 'http://localhost', description: 'over the Unix socket' }],
    paths,
    components: { schemas: SCHEMAS, parameters: PARAMETERS, responses: describeProblems() },
  };
}

function describeRoute(route: Route): Schema {
  const responses: Record<string, Schema> = {};
  for (const status of [...COMMON_PROBLEMS, ...route.problems]) {
    responses[String(status)] = { $ref: `#/components/responses/${problemName(status)}` };
  }
  for (const answer of route.answers) responses[String(answer.status)] = describeAnswer(answer);
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: route.description,
    parameters: route.parameters.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...(route.body && { requestBody: describeBody(route.body) }),
    responses,
  };
}

function describeBody(name: BodyName): Schema {
  return { required: true, content: { 'application/json': { schema: reference(name) } } };
}

function describeAnswer({ description, contentType, schema, events }: DescribedAnswer): Schema {
  if (contentType === null) return { description };
  const body = schema === null ? { type: 'string' } : reference(schema);
  return {
    description,
    content: { [contentType]: { schema: body, ...(events && { 'x-events': mapValues(events, reference) }) } },
  };
}

/** One response for each status that a problem can have, with the codes that it can carry. */
function describeProblems(): Record<string, Schema> {
  const responses: Record<string, Schema> = {};
  for (const [code, { status, title }] of Object.entries(PROBLEMS)) {
    const name = problemName(status);
    const line = `\`${code}\`: ${title}.`;
    const others = responses[name]?.['description'];
    responses[name] = {
      description: typeof others === 'string' ? `${others} ${line}` : line,
      content: { 'application/problem+json': { schema: reference('Problem') } },
      ...describeHeaders(status),
    };
  }
  return responses;
}

function describeHeaders(status: number): Schema {
  if (status === 405) return { headers: { Allow: header('The methods that the path takes.') } };
  if (status !== 429 && status !== 503) return {};
  return { headers: { 'Retry-After': header('In how many seconds asking again is worth it, where known.') } };
}

function header(description: string): Schema {
  return { description, schema: { type: 'string' } };
}

function parameter(name: string, description: string, schema: Schema): Schema {
  return { name, in: 'query', required: false, description, schema };
}

function seconds(defaultSeconds: number, longestSeconds: number): Schema {
  return { type: 'number', minimum: 0, maximum: longestSeconds, default: defaultSeconds };
}

function reference(name: SchemaName): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function problemName(status: number): string {
  return `Problem${String(status)}`;
}

function mapValues<A, B>(values: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));
}
