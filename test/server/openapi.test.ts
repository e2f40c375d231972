import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { AuthdError, type ProblemCode } from '../../src/errors.js';
import { readEvents } from './event-reader.js';
import { ask, start, type Asking, type Harness, type Reply } from './harness.js';
import { makeCredential, makeState } from './scripted-keeper.js';

interface Content {
  readonly schema: object;
  readonly 'x-events'?: Record<string, object>;
}
interface Described {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Record<string, Content>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly { readonly $ref: string }[];
  readonly requestBody?: { readonly content: Record<string, Content> };
  readonly responses: Record<string, Described>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, Record<string, unknown>>;
    readonly parameters: Record<string, { readonly name: string }>;
    readonly responses: Record<string, Described>;
  };
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'];

describe('GET /v1/openapi.json', () => {
  it('is OpenAPI 3.1 of this version, whose references all lead somewhere', async () => {
    const document = await fetchDocument(await start());
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(document.info.version).toBe('1.2.3');
    const references = JSON.stringify(document).match(/"#\/[^"]+"/g) ?? [];
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      expect(follow(document, JSON.parse(reference) as string), reference).toBeTypeOf('object');
    }
  });

  it('lists exactly the routes that answer', async () => {
    const harness = await start();
    const document = await fetchDocument(harness);
    const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const answering: string[] = [];
    for (const path of new Set([...Object.keys(document.paths), '/v1/published', '/', '/v1'])) {
      for (const method of METHODS) {
        const status = await statusOf(harness, path, method, document);
        if (status !== 404 && status !== 405) answering.push(`${method} ${path}`);
      }
    }
    expect(answering.sort()).toEqual(listed.sort());
    expect(listed).toEqual([
      'DELETE /v1/published',
      'GET /healthz',
      'GET /metrics',
      'GET /v1/credential',
      'GET /v1/events',
      'GET /v1/openapi.json',
      'GET /v1/status',
      'GET /v1/token',
      'POST /v1/refresh',
      'POST /v1/rejected',
      'PUT /v1/published',
    ]);
  });

  it('lists exactly the parameters that each route takes', async () => {
    const harness = await start();
    const document = await fetchDocument(harness);
    const values = { account: 'default', min_valid: '1', wait: '1', asker: '4711-8812345' };
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const listed = operation.parameters.map(({ $ref }) => $ref.slice('#/components/parameters/'.length));
        const taken: string[] = [];
        for (const [name, value] of Object.entries(values)) {
          const target = `${path}?${name}=${value}`;
          if ((await statusOf(harness, target, method.toUpperCase(), document)) !== 400) taken.push(name);
        }
        expect(taken, path).toEqual(listed);
      }
    }
  });

  it('gives an example of each body that is taken, and what it describes as wrong is refused', async () => {
    const harness = await start();
    const document = await fetchDocument(harness);
    const taken: string[] = [];
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const example = exampleBody(document, operation);
        if (example === undefined) continue;
        taken.push(`${method} ${path}`);
        check(document, bodySchemaOf(operation), example);
        for (const field of Object.keys(example)) {
          const wrong = { ...example, [field]: 'wrong' };
          expect(() => {
            check(document, bodySchemaOf(operation), wrong);
          }).toThrow();
          const sent = { method: method.toUpperCase(), ...jsonBody(wrong) };
          expect((await ask(harness.socketPath, path, sent)).status).toBe(400);
        }
      }
    }
    expect(taken).toEqual(
      expect.arrayContaining(['post /v1/rejected', 'put /v1/published', 'delete /v1/published']),
    );
  });

  it('says what everything is for', async () => {
    const document = await fetchDocument(await start());
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { summary, description, responses } of operations) {
      expect(summary).not.toBe('');
      expect(description).not.toBe('');
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '400', '405', '413', '500']));
    }
    for (const schema of Object.values(document.components.schemas)) {
      expect(schema['title']).toBeTypeOf('string');
    }
  });
});

describe('every answer is as the document says', () => {
  const problems: ProblemCode[] = ['login_required', 'logged_out', 'unavailable', 'corrupt', 'unsupported'];
  const refuse = (code: ProblemCode, retryAtMs?: number) => (harness: Harness) => {
    const error = new AuthdError(code, 'what happened', { hint: 'x', reason: 'no_file', retryAtMs });
    harness.keeper.onCredential = () => Promise.reject(error);
    harness.keeper.onRefresh = () => Promise.reject(error);
    harness.keeper.onRejected = () => Promise.reject(error);
    harness.keeper.onPublish = () => Promise.reject(error);
  };
  const nothing = (): void => undefined;
  const report: Asking = { method: 'POST', ...jsonBody({ fingerprint: '0123456789ab' }) };
  const put: Asking = { method: 'PUT', ...jsonBody({ directory: '/srv/x' }) };
  const loggedOut = ({ keeper }: Harness): void => {
    keeper.set({
      state: makeState('no_file'),
      credential: null,
      login: null,
      nextRotationAtMs: null,
      lastRotationAtMs: null,
    });
  };
  const forever = ({ keeper }: Harness): void => {
    keeper.set({ credential: makeCredential({ expiresAtMs: null, accountId: null, plan: null }) });
  };
  const publishing = ({ keeper }: Harness): void => {
    const condition = { detail: 'x', hint: null, generation: null, fingerprint: null };
    const names = ['pending', 'published', 'withdrawn', 'failing'] as const;
    const published = names.map((name) => ({
      directory: '/srv/x',
      path: '/srv/x/auth.json',
      source: 'config' as const,
      condition: { ...condition, name },
    }));
    keeper.set({ published });
  };
  type Case = [path: string, status: number, prepare: (harness: Harness) => void, asking?: Asking];

  const cases: Case[] = [
    ['/v1/credential', 200, nothing],
    ['/v1/credential', 200, forever],
    ['/v1/credential', 304, nothing, { headers: { 'If-None-Match': '*' } }],
    ...problems.map((code): Case => ['/v1/credential', 503, refuse(code, 1e12)]),
    ...problems.map((code): Case => ['/v1/token', 503, refuse(code)]),
    ['/v1/credential', 400, nothing, { headers: { Origin: 'x' } }],
    [
      '/v1/credential',
      404,
      ({ keepers }) => {
        keepers.clear();
      },
    ],
    ['/v1/credential', 405, nothing, { method: 'PUT' }],
    ['/v1/refresh', 413, nothing, { method: 'POST', body: 'x'.repeat(70_000) }],
    [
      '/v1/credential',
      500,
      ({ keeper }) => {
        keeper.onCredential = () => Promise.reject(new Error('x'));
      },
    ],
    ['/v1/token', 200, nothing],
    ['/v1/refresh', 200, nothing, { method: 'POST' }],
    ['/v1/refresh', 429, refuse('rate_limited', 1e12), { method: 'POST' }],
    ['/v1/refresh', 503, refuse('login_required'), { method: 'POST' }],
    ['/v1/rejected', 200, nothing, report],
    ['/v1/rejected', 400, nothing, { method: 'POST' }],
    ['/v1/rejected', 413, nothing, { ...report, body: ' '.repeat(40_000) }],
    ['/v1/rejected', 429, refuse('rate_limited', 1e12), report],
    ...problems.map((code): Case => ['/v1/rejected', 503, refuse(code, 1e12), report]),
    ['/v1/published', 200, nothing, put],
    ['/v1/published', 200, nothing, { ...put, method: 'DELETE' }],
    ['/v1/published', 400, nothing, { method: 'PUT' }],
    [
      '/v1/published',
      404,
      ({ keeper }) => {
        keeper.onUnpublish = () => Promise.reject(new AuthdError('not_found', 'nothing is published there'));
      },
      { ...put, method: 'DELETE' },
    ],
    ...problems.map((code): Case => ['/v1/published', 503, refuse(code), put]),
    ['/v1/status', 200, nothing],
    ['/v1/status', 200, loggedOut],
    ['/v1/status', 200, publishing],
    ['/v1/openapi.json', 200, nothing],
    ['/metrics', 200, nothing],
    ['/healthz', 200, nothing],
    ['/healthz', 503, loggedOut],
  ];

  it.each(cases)('%s with %i', async (path, status, prepare, asking = {}) => {
    const harness = await start();
    const document = await fetchDocument(harness);
    prepare(harness);
    const reply = await ask(harness.socketPath, path, asking);
    expect(reply.status).toBe(status);
    // A 405 has no operation of its own: it is described with the other method of the path.
    const method = status === 405 ? 'get' : (asking.method ?? 'GET').toLowerCase();
    checkReply(document, document.paths[path]?.[method], reply);
  });

  it.each([nothing, loggedOut, forever])('/v1/events (%#)', async (prepare) => {
    const harness = await start();
    const document = await fetchDocument(harness);
    prepare(harness);
    const reader = await readEvents(harness.socketPath);
    await reader.received(harness.keeper.snapshot().credential === null ? 1 : 2);
    const schemas =
      document.paths['/v1/events']?.['get']?.responses['200']?.content?.['text/event-stream']?.['x-events'];
    for (const { event = '', data } of reader.events) {
      check(document, schemas?.[event], JSON.parse(data));
    }
  });

  it('and the check can fail: a missing, a wrong and an unknown field are found', async () => {
    const document = await fetchDocument(await start());
    const schema = { $ref: '#/components/schemas/Health' };
    const good = { account: 'a', state: 'fresh', reason: 'valid', detail: 'x' };
    check(document, schema, good);
    expect(() => {
      check(document, schema, { ...good, detail: undefined });
    }).toThrow();
    expect(() => {
      check(document, schema, { ...good, state: 'happy' });
    }).toThrow();
    expect(() => {
      check(document, schema, { ...good, access_token: 'x' });
    }).toThrow();
  });
});

async function fetchDocument({ socketPath }: Harness): Promise<Document> {
  return JSON.parse((await ask(socketPath, '/v1/openapi.json')).body) as Document;
}

/** The status of an answer, whatever follows: an event stream does not end by itself. */
async function statusOf(
  { socketPath }: Harness,
  path: string,
  method: string,
  document: Document,
): Promise<number> {
  if (path.startsWith('/v1/events') && method === 'GET') {
    return (await ask(socketPath, path, { method: 'HEAD' })).status;
  }
  const operation = document.paths[path.split('?', 1)[0] ?? '']?.[method.toLowerCase()];
  const body = operation && exampleBody(document, operation);
  return (await ask(socketPath, path, { method, ...(body && jsonBody(body)) })).status;
}

function bodySchemaOf({ requestBody }: Operation): object | undefined {
  return requestBody?.content['application/json']?.schema;
}

/** The body that the examples of its fields make; undefined for a route that takes none. */
function exampleBody(document: Document, operation: Operation): Record<string, string> | undefined {
  const schema = bodySchemaOf(operation);
  if (schema === undefined || !('$ref' in schema)) return undefined;
  const { properties } = follow(document, String(schema.$ref)) as {
    properties: Record<string, { examples: readonly [string] }>;
  };
  return Object.fromEntries(Object.entries(properties).map(([name, { examples }]) => [name, examples[0]]));
}

function jsonBody(value: object): Pick<Asking, 'headers' | 'body'> {
  return { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) };
}

function checkReply(document: Document, operation: Operation | undefined, reply: Reply): void {
  const named = operation?.responses[String(reply.status)];
  const described = named?.$ref === undefined ? named : (follow(document, named.$ref) as Described);
  if (described === undefined) throw new Error(`status ${String(reply.status)} is not described`);
  const contentType = reply.headers['content-type'];
  if (described.content === undefined) {
    expect(reply.body).toBe('');
    expect(contentType).toBeUndefined();
    return;
  }
  const content = contentType === undefined ? undefined : described.content[contentType];
  const isJson = contentType?.endsWith('json') === true;
  check(document, content?.schema, isJson ? (JSON.parse(reply.body) as unknown) : reply.body);
}

function check(document: Document, schema: object | undefined, value: unknown): void {
  if (schema === undefined) throw new Error('no schema is named for this answer');
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  ajv.addFormat('uri', (text: string) => URL.canParse(text));
  const root = { components: { schemas: closed(document.components.schemas) }, ...schema };
  ajv.addVocabulary(['components']);
  const validate: ValidateFunction = ajv.compile(root);
  if (!validate(value)) throw new Error(ajv.errorsText(validate.errors));
}

/** The schemas with every field that they don't name forbidden: the daemon sends nothing undescribed. */
function closed(schemas: Document['components']['schemas']): Record<string, object> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      name === 'Openapi' ? schema : { ...schema, additionalProperties: false },
    ]),
  );
}

function follow(document: Document, reference: string): unknown {
  return reference
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], document);
}
