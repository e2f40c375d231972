import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ProblemCode } from '../../src/errors.js';
import type { AccountStatus, CredentialBody, ProblemBody, StatusBody } from '../../src/protocol.js';

/** What answers one kind of request. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on a Unix socket that answers like the contract, except where a script says otherwise. */
export interface ScriptedDaemon {
  readonly socket: string;
  /** Every request so far: method and address, with the query. */
  readonly requests: string[];
  /** The `Host` header of every request so far. */
  readonly hosts: (string | undefined)[];
  readonly close: () => Promise<void>;
}

/** What it calls itself in each answer, if anything. */
export interface Naming {
  readonly server?: string;
}

/** Handlers by `METHOD /path`. */
export type Script = Readonly<Record<string, Handler>>;

export async function startScriptedDaemon(
  socket: string,
  script: Script = {},
  { server: name }: Naming = {},
): Promise<ScriptedDaemon> {
  const requests: string[] = [];
  const hosts: (string | undefined)[] = [];
  const handlers: Script = { ...contract(socket), ...script };
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    hosts.push(request.headers.host);
    if (name !== undefined) response.setHeader('Server', name);
    const path = (request.url ?? '').split('?', 1).join('');
    const handler = handlers[`${request.method ?? ''} ${path}`];
    if (handler === undefined) problem(404, 'not_found', `there is no ${path}`)(request, response);
    else handler(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return {
    socket,
    requests,
    hosts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

export const CREDENTIAL: CredentialBody = {
  account: 'default',
  access_token: 'eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl',
  token_type: 'Bearer',
  expires_at: '2199-12-02T17:03:12.000Z',
  account_id: 'acc-0001',
  plan: 'pro',
  generation: 8,
  fingerprint: '0123456789ab',
  base_url: 'https://chatgpt.com/backend-api/codex',
};

export const ACCOUNT: AccountStatus = {
  account: 'default',
  state: 'fresh',
  reason: 'valid',
  detail: 'the access token is valid',
  hint: null,
  serving: true,
  serves_until: '2199-12-02T17:03:12.000Z',
  login: 'chatgpt',
  email: 'ada@example.com',
  account_id: 'acc-0001',
  plan: 'pro',
  generation: 8,
  fingerprint: '0123456789ab',
  issued_at: '2026-11-22T17:03:12.000Z',
  expires_at: '2199-12-02T17:03:12.000Z',
  next_rotation_at: '2199-11-30T05:03:12.000Z',
  last_rotation_at: '2026-11-22T17:03:12.000Z',
  written_by: 'codex-authd',
  written_at: '2026-11-22T17:03:12.000Z',
  auth_file: '/home/ada/.codex/auth.json',
  token_endpoint: 'https://auth.openai.com/oauth/token',
  clock_offset_seconds: 0,
  counts: { own: 1, adopted: 2, requests: 4, failures: 3, rejections: 5 },
  published: [],
};

export function statusBody(socket: string, accounts: readonly AccountStatus[] = [ACCOUNT]): StatusBody {
  return {
    schema: 1,
    version: '0.1.0',
    node: 'v20.20.2',
    pid: 4711,
    started_at: '2026-11-22T17:00:00.000Z',
    socket,
    locks: 'flock',
    accounts,
  };
}

function contract(socket: string): Script {
  return {
    'GET /v1/credential': json(CREDENTIAL),
    'POST /v1/refresh': json({ ...CREDENTIAL, generation: 9, fingerprint: 'ba9876543210' }),
    'GET /v1/status': json(statusBody(socket)),
    'GET /v1/events': events(event('state', ACCOUNT), event('credential', CREDENTIAL)),
  };
}

export function json(body: unknown): Handler {
  return answer(200, 'application/json; charset=utf-8', JSON.stringify(body));
}

/** Any answer at all. */
export function answer(status: number, type: string, body: string): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    response.end(body);
  };
}

export function problem(
  status: number,
  code: ProblemCode,
  detail: string,
  more: Partial<ProblemBody> = {},
): Handler {
  const body: ProblemBody = {
    type: 'about:blank',
    title: 'Failure',
    status,
    code,
    detail,
    hint: null,
    retry_at: null,
    reason: null,
    ...more,
  };
  return answer(status, 'application/problem+json', JSON.stringify(body));
}

/** Sends these events at once, and leaves the stream open. */
export function events(...texts: string[]): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(texts.join(''));
  };
}

export function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Never answers. */
export const silence: Handler = () => undefined;

/** Closes the connection without a word. */
export const hangUp: Handler = (request) => {
  request.socket.destroy();
};
