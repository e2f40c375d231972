import type { Dispatcher } from 'undici';
import { identifyEndpoint } from '../core/endpoint-identity.js';
import { isSuccess, type Answer } from '../core/outcome.js';
import type { Secret } from '../core/secret.js';
import { systemErrorCode } from '../errors.js';
import type { Environment } from '../os/paths.js';
import { makeAgent } from './agent.js';
import { readCertificates } from './certificates.js';
import { Deadline } from './deadline.js';
import { explain } from './explain.js';
import { gateBody } from './gate-body.js';
import { observeExchange } from './observe-exchange.js';
import { encodeRefresh, type BodyFormat, type ClientIdentity } from './request-body.js';
import { loadUndici, type Undici } from './undici.js';

export interface TokenEndpointOptions extends ClientIdentity {
  readonly url: string;
  readonly bodyFormat: BodyFormat;
  /** Sent as `User-Agent`: OpenAI asks third parties for one of their own (facts 2.7). */
  readonly userAgent: string;
  /** Where the proxy (`HTTPS_PROXY`, `NO_PROXY`) and private roots are named. */
  readonly env: Environment;
  /** How long the way to the server may take, proxy and TLS included; in milliseconds. */
  readonly longestWayMs?: number;
  /** How long its answer may then take, to the last byte. */
  readonly longestAnswerMs?: number;
}

type SendRefresh = (
  refreshToken: Secret,
  onBytes: (bytes: Uint8Array) => void,
  mayLeave: () => Promise<boolean>,
) => Promise<Answer>;

export const LONGEST_WAY_MS = 30_000;
/** Longer than the 100 to 125 s after which CDNs give up: who hangs up before them loses the answer, and gains nothing. */
export const LONGEST_ANSWER_MS = 150_000;

/** The token endpoint of one account: the only place from which refresh tokens leave this program. */
export class TokenEndpoint {
  readonly url: string;
  readonly identity: string;
  readonly #options: TokenEndpointOptions;

  constructor(options: TokenEndpointOptions) {
    this.url = options.url;
    this.identity = identifyEndpoint(options);
    this.#options = options;
  }

  /**
   * Loads the client and reads the private roots, so that nothing but the connection and the sending is left for later.
   *
   * @throws AuthdError `bad_configuration` if the roots that the environment names cannot be used
   */
  async prepare(): Promise<SendRefresh> {
    const undici = await loadUndici();
    const ca = await readCertificates(this.#options.env);
    const agent = makeAgent(undici, this.#options.env, ca === undefined ? {} : { ca });
    return (...sending) => this.#send(undici.request, agent, ...sending);
  }

  /**
   * Sends a refresh token once. Never rejects, never retries, follows no redirect: what came of it is the answer.
   * `onBytes` is given every piece of a successful answer's body as it comes, before anything else is done with it. `mayLeave` is
   * asked when the connection is there, right before the token leaves.
   *
   * Each call has a connection of its own. A kept-alive one that the server has just closed would turn a failure
   * that is harmless into one of which nobody knows whether the token was spent.
   */
  async #send(
    request: Undici['request'],
    agent: Dispatcher,
    refreshToken: Secret,
    onBytes: (bytes: Uint8Array) => void,
    mayLeave: () => Promise<boolean>,
  ): Promise<Answer> {
    const { url, bodyFormat, userAgent } = this.#options;
    const { longestWayMs = LONGEST_WAY_MS, longestAnswerMs = LONGEST_ANSWER_MS } = this.#options;
    const { contentType, body } = encodeRefresh(bodyFormat, this.#options, refreshToken);
    const sending = { begun: false };
    const deadline = new Deadline(longestWayMs);
    // The answer has all of its time, however long the way was: to give up now would cost a token.
    const onLeaving = (): void => {
      deadline.renew(longestAnswerMs);
      sending.begun = true;
    };
    try {
      const response = await request(url, {
        method: 'POST',
        headers: {
          'content-type': contentType,
          'content-length': String(Buffer.byteLength(body)),
          accept: 'application/json',
          'accept-encoding': 'identity',
          'user-agent': userAgent,
        },
        body: gateBody(body, { mayLeave, onLeaving }),
        dispatcher: agent.compose(observeExchange(onBytes)),
        signal: deadline.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      return {
        kind: 'answered',
        status: response.statusCode,
        body: withoutSecret(await readBody(response.body), response.statusCode, refreshToken),
        retryAfter: single(response.headers['retry-after']),
        date: single(response.headers['date']),
      };
    } catch (error) {
      const message = explain(error);
      return sending.begun
        ? { kind: 'lost', message }
        : { kind: 'never_sent', code: systemErrorCode(error) ?? 'unknown', message };
    } finally {
      deadline.end();
      // What is left of the connection is nobody's concern any more.
      agent.destroy().catch(() => undefined);
    }
  }
}

/**
 * The body as text. A connection that breaks after the last byte that matters costs nothing: a JSON object says itself
 * where it ends, so one that can be read has arrived whole, and with it perhaps the only copy of the new tokens.
 */
async function readBody(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    const text = decode(chunks);
    if (isWholeObject(text)) return text;
    throw error;
  }
  return decode(chunks);
}

/** A byte order mark is no part of the text. */
function decode(chunks: readonly Uint8Array[]): string {
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/**
 * A server that repeats the refresh token in its complaint must not get it into a log. With a success, it may give the same
 * one again: that is to be stored.
 */
function withoutSecret(body: string, status: number, secret: Secret): string {
  return isSuccess(status) ? body : body.replaceAll(secret.reveal(), secret.fingerprint);
}

function isWholeObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

function single(header: string | string[] | undefined): string | null {
  return (typeof header === 'string' ? header : header?.[0]) ?? null;
}
