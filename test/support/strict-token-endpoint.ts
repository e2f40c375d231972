import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { makeDeferred } from './deferred.js';
import { errorBody, tokenResponse, type Reply, type ScriptedAnswer } from './scripted-answers.js';
import type { LoginTokens } from './login-file.js';
import { TokenFamilies, type RefusalCode } from './token-families.js';
import { fingerprintOf, type TokenClaims } from './tokens.js';

/** A request as it stands in the endpoint's book. */
export interface TokenRequest {
  readonly atMs: number;
  readonly format: 'json' | 'form' | 'other';
  readonly userAgent: string | null;
  /** Every field of the body that was a string. */
  readonly fields: Readonly<Record<string, string>>;
  /** Of the refresh token; null where there was none. */
  readonly fingerprint: string | null;
  /** What came of it: `rotated`, an error code, or the name of a scripted answer; `revoked` for a logout. */
  readonly outcome: 'rotated' | 'revoked' | 'strayed' | 'malformed' | RefusalCode | (string & {});
  /** Whether the refresh token was good before this request and is not after it. */
  readonly spent: boolean;
}

/** A request whose answer is held back. */
export interface Gate {
  /** Resolves when a request stands before the gate; its effect has taken place already. */
  readonly arrived: Promise<TokenRequest>;
  /** Lets the answer go, also one that has not arrived yet. */
  open(): void;
}

export interface StrictTokenEndpointOptions {
  /** Of the access tokens that it issues, in seconds. */
  readonly lifetimeSeconds?: number;
  readonly clientId?: string;
  /** The server's clock, in milliseconds since the epoch. */
  readonly now?: () => number;
}

/** What Codex sends (facts 2.1). */
export const CODEX_CLIENT_ID = 'app_EMoamEEZ73f0CkXaXp7hrann';

/**
 * A fake of OpenAI's `/oauth/token` on a loopback port. Strict: a refresh token works once, and one that comes again
 * ends its login; so does `/oauth/revoke`, which `codex logout` calls beside it. It takes JSON and form bodies, keeps a book of all requests, and answers as a test prescribes.
 */
export class StrictTokenEndpoint implements AsyncDisposable {
  /** All requests, in the order in which they were read. */
  readonly requests: TokenRequest[] = [];
  /** Of the access tokens that it issues from now on, in seconds. */
  lifetimeSeconds: number;
  /** Answers every request that finds no answer of its own in the script; null for the regular one. */
  otherwise: ScriptedAnswer | null = null;

  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #families = new TokenFamilies();
  readonly #clientId: string;
  readonly #now: () => number;
  readonly #script: ScriptedAnswer[] = [];
  readonly #gates: { readonly pass: (request: TokenRequest) => void; readonly opened: Promise<void> }[] = [];
  readonly #silent = new Set<ServerResponse>();
  readonly #connections = new Set<Socket>();
  readonly #watchers: { readonly number: number; readonly notify: (request: TokenRequest) => void }[] = [];

  private constructor(options: StrictTokenEndpointOptions) {
    this.lifetimeSeconds = options.lifetimeSeconds ?? 3600;
    this.#clientId = options.clientId ?? CODEX_CLIENT_ID;
    this.#now = options.now ?? Date.now;
  }

  static async start(options: StrictTokenEndpointOptions = {}): Promise<StrictTokenEndpoint> {
    const endpoint = new StrictTokenEndpoint(options);
    endpoint.#server.on('connection', (socket) => {
      endpoint.#connections.add(socket);
      socket.once('close', () => endpoint.#connections.delete(socket));
    });
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the endpoint is closed');
    return `http://127.0.0.1:${String(address.port)}/oauth/token`;
  }

  /** What `codex login` would have got. */
  login(claims: TokenClaims = {}): LoginTokens {
    return this.#families.begin(this.#now(), this.lifetimeSeconds, claims);
  }

  /** Another process rotates: no request in the book. Throws if the token is no longer good. */
  rotateElsewhere(refreshToken: string): LoginTokens {
    const spending = this.#families.spend(refreshToken, this.#now(), this.lifetimeSeconds, false);
    if (spending.kind === 'refused') throw new Error(spending.code);
    return spending.tokens;
  }

  /** Ends the login that this token belongs to, from the server's side; access tokens go on working (facts 1.5). */
  endLogin(refreshToken: string, how: 'revoked' | 'expired' = 'revoked'): void {
    this.#families.end(refreshToken, how);
  }

  /** Ends one access token before its time, from the server's side (facts 1.5); the login goes on. */
  endAccessToken(accessToken: string): void {
    this.#families.endAccess(accessToken);
  }

  /** Whether the refresh token would work now. */
  isAlive(refreshToken: string): boolean {
    return this.#families.isAlive(refreshToken);
  }

  /** Whether the access token was issued here and had not expired at that moment. */
  verifyAccessToken(accessToken: string, nowMs: number): boolean {
    return this.#families.accepts(accessToken, nowMs);
  }

  /** The same for a server with which the access tokens of a login end when the login does. */
  honoursAccessToken(accessToken: string, nowMs: number): boolean {
    return this.#families.honours(accessToken, nowMs);
  }

  /** Prescribes the answers to the next requests, one each. */
  answerNext(...answers: readonly ScriptedAnswer[]): void {
    this.#script.push(...answers);
  }

  /** Holds back the answer to the next request that no other gate waits for. */
  holdNext(): Gate {
    const arrival = makeDeferred<TokenRequest>();
    const opening = makeDeferred<undefined>();
    this.#gates.push({ pass: arrival.resolve, opened: opening.promise });
    return {
      arrived: arrival.promise,
      open: () => {
        opening.resolve(undefined);
      },
    };
  }

  /** The request with this number, counted from 1, as soon as it is in the book. */
  request(number: number): Promise<TokenRequest> {
    const known = this.requests[number - 1];
    if (known !== undefined) return Promise.resolve(known);
    const { promise, resolve } = makeDeferred<TokenRequest>();
    this.#watchers.push({ number, notify: resolve });
    return promise;
  }

  /** The first request that comes after this call. */
  nextRequest(): Promise<TokenRequest> {
    return this.request(this.requests.length + 1);
  }

  /** The fingerprints of refresh tokens that came in more than one request. */
  sentTwice(): string[] {
    const seen = new Set<string>();
    const twice = new Set<string>();
    for (const { fingerprint } of this.requests) {
      if (fingerprint === null) continue;
      if (seen.has(fingerprint)) twice.add(fingerprint);
      seen.add(fingerprint);
    }
    return [...twice];
  }

  /** Ends the connections of the requests that were answered with silence. */
  breakSilence(): void {
    for (const response of this.#silent) response.socket?.destroy();
    this.#silent.clear();
  }

  /** Resolves when all that clients which are gone by now have sent is in the book: their connections are over. */
  async quiet(): Promise<void> {
    const probe = connect(Number(new URL(this.url).port), '127.0.0.1');
    await once(probe, 'connect');
    // Connections are accepted in the order in which they were made: after the probe's, none is missing.
    const isAccepted = (): boolean =>
      [...this.#connections].some(({ remotePort }) => remotePort === probe.localPort);
    while (!isAccepted()) await once(this.#server, 'connection');
    probe.destroy();
    while (this.#connections.size > 0) {
      await Promise.all([...this.#connections].map((socket) => once(socket, 'close')));
    }
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fields, format } = readFields(request, await text(request));
    const { outcome, reply, spent } = this.#decide(request, format, fields);
    const refreshToken = fields['refresh_token'];
    const entry: TokenRequest = {
      atMs: this.#now(),
      format,
      userAgent: request.headers['user-agent'] ?? null,
      fields,
      fingerprint: refreshToken === undefined ? null : fingerprintOf(refreshToken),
      outcome,
      spent,
    };
    if (reply.kind === 'silence') this.#silent.add(response);
    this.requests.push(entry);
    for (const { number, notify } of this.#watchers) {
      if (number === this.requests.length) notify(entry);
    }
    const gate = this.#gates.shift();
    gate?.pass(entry);
    await gate?.opened;
    if (reply.kind !== 'silence') await send(response, reply);
  }

  /** RFC 7009 §2.2: a token that nobody knows is no error. */
  #revoke(token: string): Decision {
    const spent = this.isAlive(token);
    if (this.#families.knows(token)) this.#families.end(token, 'revoked');
    return { outcome: 'revoked', spent, reply: json(200, '{}') };
  }

  #decide(
    request: IncomingMessage,
    format: TokenRequest['format'],
    fields: Readonly<Record<string, string>>,
  ): Decision {
    if (request.url === '/oauth/revoke') return this.#revoke(fields['token'] ?? '');
    if (request.url !== '/oauth/token')
      return { outcome: 'strayed', spent: false, reply: json(404, errorBody('lost')) };
    const answer = this.#script.shift() ?? this.otherwise;
    if (answer?.effect === 'nothing')
      return { outcome: answer.name, spent: false, reply: answer.reply(null) };

    const complaint = complain(request, format, fields, this.#clientId);
    if (complaint !== null)
      return { outcome: 'malformed', spent: false, reply: json(400, errorBody(complaint)) };
    const refreshToken = fields['refresh_token'] ?? '';
    const wasAlive = this.isAlive(refreshToken);
    const lifetimeSeconds = answer?.lifetimeSeconds ?? this.lifetimeSeconds;
    const spending = this.#families.spend(
      refreshToken,
      this.#now(),
      lifetimeSeconds,
      answer?.effect === 'renews',
    );
    const spent = wasAlive && !this.isAlive(refreshToken);
    if (spending.kind === 'refused') {
      return { outcome: spending.code, spent, reply: json(401, errorBody(spending.code)) };
    }
    if (answer !== null) return { outcome: answer.name, spent, reply: answer.reply(spending.tokens) };
    return { outcome: 'rotated', spent, reply: json(200, tokenResponse(spending.tokens)) };
  }
}

interface Decision {
  readonly outcome: string;
  readonly spent: boolean;
  readonly reply: Reply;
}

/** What OpenAI would not take; null if there is nothing to complain of. */
function complain(
  request: IncomingMessage,
  format: TokenRequest['format'],
  fields: Readonly<Record<string, string>>,
  clientId: string,
): string | null {
  if (request.method !== 'POST' || format === 'other') return 'invalid_request';
  if (fields['client_id'] !== clientId) return 'invalid_client';
  if (fields['grant_type'] !== 'refresh_token') return 'unsupported_grant_type';
  return fields['refresh_token'] === undefined ? 'invalid_request' : null;
}

function readFields(
  request: IncomingMessage,
  body: string,
): { format: TokenRequest['format']; fields: Record<string, string> } {
  const type = request.headers['content-type']?.split(';')[0]?.trim();
  if (type === 'application/x-www-form-urlencoded') {
    return { format: 'form', fields: Object.fromEntries(new URLSearchParams(body)) };
  }
  if (type === 'application/json') {
    try {
      const parsed: unknown = JSON.parse(body);
      const entries = Object.entries(typeof parsed === 'object' && parsed !== null ? parsed : {});
      return { format: 'json', fields: Object.fromEntries(entries.filter(isTextEntry)) };
    } catch {
      return { format: 'other', fields: {} };
    }
  }
  return { format: 'other', fields: {} };
}

function isTextEntry(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === 'string';
}

function json(status: number, body: string): Reply {
  return { kind: 'whole', status, headers: { 'content-type': 'application/json' }, body };
}

async function send(response: ServerResponse, reply: Exclude<Reply, { kind: 'silence' }>): Promise<void> {
  if (reply.kind === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  if (reply.kind === 'whole') {
    response.writeHead(reply.status, reply.headers).end(reply.body);
    return;
  }
  response.writeHead(reply.status, { 'content-type': 'application/json' });
  await new Promise((resolve) => response.write(reply.body.slice(0, reply.bytes), resolve));
  response.socket?.destroy();
}
