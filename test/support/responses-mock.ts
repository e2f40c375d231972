import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { makeDeferred } from './deferred.js';
import { errorBody } from './scripted-answers.js';
import { accountOf, fingerprintOf } from './tokens.js';

/** A request as it stands in the mock's book. */
export interface ModelRequest {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly userAgent: string | null;
  /** Of the bearer token; null where there was none. */
  readonly fingerprint: string | null;
  /** The `ChatGPT-Account-ID` header. */
  readonly accountId: string | null;
  /** The body as JSON; null if it is none. */
  readonly body: unknown;
  readonly outcome: 'answered' | 'listed' | 'unauthorized' | 'strayed';
}

export interface ResponsesMockOptions {
  /** Whether a bearer token is valid at this moment: one of `StrictTokenEndpoint`'s tests, as a rule. */
  readonly accepts: (accessToken: string, nowMs: number) => boolean;
  /** What the model says. */
  readonly reply?: string;
}

/** A turn that the mock has begun to serve and whose answer is held back. */
export interface TurnGate {
  readonly arrived: Promise<ModelRequest>;
  open(): void;
}

/**
 * A fake of the backend that Codex talks to, on a loopback port: `POST <baseUrl>/responses` is answered with the three
 * events that Codex needs (facts 4.6), to a bearer token that is valid now and comes with the header of its account
 * (facts 4.1); with 401 to every other. So is `GET <baseUrl>/models`, with an empty list. Whatever else is asked is 404 and
 * stands in the book as `strayed`.
 */
export class ResponsesMock implements AsyncDisposable {
  /** All requests, in the order in which they were read. */
  readonly requests: ModelRequest[] = [];
  /** What the model says from now on. */
  reply: string;

  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #accepts: ResponsesMockOptions['accepts'];
  readonly #gates: { readonly pass: (request: ModelRequest) => void; readonly opened: Promise<void> }[] = [];
  #refusals = 0;

  private constructor(options: ResponsesMockOptions) {
    this.#accepts = options.accepts;
    this.reply = options.reply ?? 'hello from the mock';
  }

  static async start(options: ResponsesMockOptions): Promise<ResponsesMock> {
    const mock = new ResponsesMock(options);
    mock.#server.listen(0, '127.0.0.1');
    await once(mock.#server, 'listening');
    return mock;
  }

  /** For `base_url` of a model provider. */
  get baseUrl(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the mock is closed');
    return `http://127.0.0.1:${String(address.port)}${BASE_PATH}`;
  }

  /** The turns that were asked for with this outcome. */
  turns(outcome: ModelRequest['outcome']): ModelRequest[] {
    return this.requests.filter((request) => request.path === TURNS && request.outcome === outcome);
  }

  /** Answers the next turns with 401, whatever their token: as a server that has ended a token early (facts 1.5). */
  refuseNext(count = 1): void {
    this.#refusals += count;
  }

  /** Holds back the answer to the next turn that no other gate waits for. */
  holdNext(): TurnGate {
    const arrival = makeDeferred<ModelRequest>();
    const opening = makeDeferred<undefined>();
    this.#gates.push({ pass: arrival.resolve, opened: opening.promise });
    return {
      arrived: arrival.promise,
      open: () => {
        opening.resolve(undefined);
      },
    };
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
    const body = parse(await buffer(request));
    const path = (request.url ?? '').split('?')[0] ?? '';
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? null;
    const accountId = request.headers['chatgpt-account-id'];
    const entry: ModelRequest = {
      atMs: Date.now(),
      method: request.method ?? '',
      path,
      userAgent: request.headers['user-agent'] ?? null,
      fingerprint: bearer === null ? null : fingerprintOf(bearer),
      accountId: typeof accountId === 'string' ? accountId : null,
      body,
      outcome: this.#judge(request.method, path, bearer, accountId),
    };
    this.requests.push(entry);
    if (entry.outcome === 'strayed') {
      response.writeHead(404, JSON_TYPE).end(errorBody('not_found'));
      return;
    }
    if (path === TURNS) {
      const gate = this.#gates.shift();
      gate?.pass(entry);
      await gate?.opened;
    }
    if (entry.outcome === 'unauthorized') {
      response.writeHead(401, JSON_TYPE).end(errorBody('token_expired'));
      return;
    }
    if (entry.outcome === 'listed') {
      response.writeHead(200, JSON_TYPE).end('{"models":[]}');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(this.#events());
  }

  #judge(
    method: string | undefined,
    path: string,
    bearer: string | null,
    accountId: unknown,
  ): ModelRequest['outcome'] {
    const isTurn = method === 'POST' && path === TURNS;
    if (!isTurn && !(method === 'GET' && path === MODELS)) return 'strayed';
    if (isTurn && this.#refusals > 0) {
      this.#refusals -= 1;
      return 'unauthorized';
    }
    const isGood = bearer !== null && accountId === accountOf(bearer) && this.#accepts(bearer, Date.now());
    if (!isGood) return 'unauthorized';
    return isTurn ? 'answered' : 'listed';
  }

  #events(): string {
    const id = `resp_${String(this.requests.length)}`;
    const content = [{ type: 'output_text', text: this.reply, annotations: [] }];
    const item = { type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content };
    const usage = {
      input_tokens: 1,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 1,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 2,
    };
    return [
      { type: 'response.created', response: { id } },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: { id, output: [item], usage } },
    ]
      .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      .join('');
  }
}

/** As with ChatGPT's own backend. */
const BASE_PATH = '/backend-api/codex';
const TURNS = `${BASE_PATH}/responses`;
const MODELS = `${BASE_PATH}/models`;

const JSON_TYPE = { 'content-type': 'application/json' };

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return null;
  }
}
