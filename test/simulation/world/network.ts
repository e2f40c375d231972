import { isSuccess, type Answer } from '../../../src/core/outcome.js';
import { systemErrorCode } from '../../../src/errors.js';
import type { TokenEndpointPort } from '../../../src/keeper/ports.js';
import type { Host, VirtualProcess } from './process.js';
import { refusal, type Response, type VirtualServer } from './server.js';

/** What may happen to one request. */
export type Mishap =
  /** There is no way to the server; it is certain that nothing was sent. */
  | { readonly kind: 'no way'; readonly code: string }
  /** Sent, and the server never gets it. */
  | { readonly kind: 'request lost' }
  /** Carried out, and nothing of the answer comes back. */
  | { readonly kind: 'answer lost' }
  /** Carried out, and the connection breaks in the middle of the answer. */
  | { readonly kind: 'answer torn' }
  /** The server gets it long after the sender has given up. */
  | { readonly kind: 'late' }
  /** A gateway answers in place of the server, which may have carried it out. */
  | { readonly kind: 'gateway'; readonly status: number; readonly carriedOut: boolean }
  /** The server answers, and has not touched the token. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly code: string;
      readonly retryAfter: string | null;
    }
  /** Carried out, and the answer is a web page. */
  | { readonly kind: 'garbled' };

/** One sending of a refresh token by a daemon. */
export interface Sending {
  readonly token: string;
  readonly process: VirtualProcess;
  /** The number of the operation that sent it. */
  readonly operation: number;
  readonly sentAtMs: number;
  end: 'pending' | 'lost' | 'answered';
  /** An answer that has come whole. */
  body: string | null;
  /** The new refresh token of such an answer. */
  child: string | null;
  /** The new access token of such an answer. */
  access: string | null;
  /** The server said no for good. */
  isRejected: boolean;
  /** The server said "later", and has not touched the token. */
  isUntouched: boolean;
  /** Before then the server does not want it again. */
  unwantedUntilMs: number;
  /** The new tokens have been where a loss of power leaves them. */
  isSealed: boolean;
  /** They have been so in a journal: whoever comes later knows that the token was spent. */
  isJournalled: boolean;
  /** The new tokens have been in auth.json. */
  isStored: boolean;
  /** There was nothing in the way of writing down what came of it. */
  isConcluded: boolean;
  /** Why nobody can be blamed if the child is lost; null if somebody can. */
  excuse: string | null;
}

export interface Witness {
  /** There was no way to the server. */
  onTurnedBack(process: VirtualProcess): void;
  /** The connection is there, and nothing has left yet. */
  onConnected(process: VirtualProcess): void;
  onSend(process: VirtualProcess, token: string): Sending;
  /** The whole answer has come, and what the process does with the bytes at once has been done. */
  onAnswer(sending: Sending): void;
}

const LONGEST_CONNECT_MS = 10_000;
const DEADLINE_MS = 30_000;

/** The way between this machine and the token endpoint. */
export class Network {
  readonly #host: Host;
  readonly #server: VirtualServer;
  readonly #witness: Witness;
  #mishaps: Mishap[] = [];

  constructor(host: Host, server: VirtualServer, witness: Witness) {
    this.#host = host;
    this.#server = server;
    this.#witness = witness;
  }

  /** Prepares what happens to the next requests of the daemons. */
  plan(mishap: Mishap, times: number): void {
    for (let time = 0; time < times; time += 1) this.#mishaps.push(mishap);
  }

  heal(): void {
    this.#mishaps = [];
  }

  get isHealthy(): boolean {
    return this.#mishaps.length === 0;
  }

  endpointOf(process: VirtualProcess): TokenEndpointPort {
    return {
      url: 'https://auth.example.com/oauth/token',
      identity: 'the one and only',
      prepare: () =>
        process.operate(
          'prepare',
          '',
          () => (token, onBytes, mayLeave) => this.#send(process, token.reveal(), onBytes, mayLeave),
        ),
    };
  }

  /** A request of somebody else's: it always arrives, and the answer comes back if he still lives. */
  async sendForOther(process: VirtualProcess, token: string): Promise<Response> {
    await process.wait(this.#latencyMs());
    const response = this.#server.receive(token, 'other');
    await process.wait(this.#latencyMs());
    return response;
  }

  async #send(
    process: VirtualProcess,
    token: string,
    onBytes: (bytes: Uint8Array) => void,
    mayLeave: () => Promise<boolean>,
  ): Promise<Answer> {
    const failure = await this.#connect(process, mayLeave);
    if (failure !== null) return { kind: 'never_sent', code: failure, message: failure };
    const sending = await process.operate('send', token, () => this.#witness.onSend(process, token));
    const mishap = this.#mishaps.shift();
    const answer = await this.#travel(process, sending, mishap, onBytes);
    // One that came after a sleep may be of any moment in it.
    const isPrompt = this.#host.timeline.nowMs - sending.sentAtMs < 2 * DEADLINE_MS;
    if (answer.kind === 'answered' && isPrompt) process.canKnowTime = true;
    sending.end = answer.kind === 'answered' ? 'answered' : 'lost';
    return answer;
  }

  /** Name resolution, connect, TLS, and then the sender's last look. Resolves to why nothing leaves; null if it may. */
  async #connect(process: VirtualProcess, mayLeave: () => Promise<boolean>): Promise<string | null> {
    const { timeline } = this.#host;
    const [next] = this.#mishaps;
    const noWay = next?.kind === 'no way' ? next.code : null;
    if (noWay !== null) this.#mishaps.shift();
    const giveUpAtMs = timeline.monotonicMs + DEADLINE_MS;
    await process.operate('connect', '', () => undefined);
    await process.wait(this.#connectMs());
    if (noWay !== null) {
      this.#witness.onTurnedBack(process);
      return noWay;
    }
    this.#witness.onConnected(process);
    try {
      if (!(await mayLeave())) return 'withheld';
    } catch (error) {
      return systemErrorCode(error) ?? String(error);
    }
    return timeline.monotonicMs < giveUpAtMs ? null : 'no answer in time';
  }

  async #travel(
    process: VirtualProcess,
    sending: Sending,
    mishap: Mishap | undefined,
    onBytes: (bytes: Uint8Array) => void,
  ): Promise<Answer> {
    const { token } = sending;
    switch (mishap?.kind) {
      case 'request lost':
        return this.#lose(process);
      case 'answer lost':
        await this.#arrive(token);
        return this.#lose(process);
      case 'late':
        this.#host.timeline.after(2 * DEADLINE_MS, () => this.#server.receive(token, 'us'), false);
        return this.#lose(process);
      case 'gateway':
        if (mishap.carriedOut) await this.#arrive(token);
        return answerOf(this.#dated({ status: mishap.status, body: '<html>' }));
      case 'refused':
        await process.wait(this.#latencyMs());
        sending.isUntouched = true;
        sending.unwantedUntilMs = this.#host.timeline.nowMs + Number(mishap.retryAfter ?? 0) * 1000;
        return this.#deliver(
          process,
          sending,
          this.#dated(refusal(mishap.status, mishap.code)),
          onBytes,
          mishap.retryAfter,
        );
      case 'garbled': {
        const { dateMs } = await this.#arrive(token);
        const page = { status: 200, body: '<html>hello</html>', dateMs };
        return this.#deliver(process, sending, page, onBytes);
      }
      case 'answer torn':
      case 'no way':
      case undefined:
        break;
    }
    const response = await this.#arrive(token);
    await process.wait(this.#latencyMs());
    if (mishap?.kind !== 'answer torn') return this.#deliver(process, sending, response, onBytes);
    const piece = response.body.slice(0, this.#host.random.below(response.body.length));
    if (isSuccess(response.status)) onBytes(Buffer.from(piece));
    return { kind: 'lost', message: 'ECONNRESET' };
  }

  /** The request goes on its way whatever becomes of its sender. */
  #arrive(token: string): Promise<Dated> {
    return new Promise((resolve) => {
      this.#host.timeline.after(
        this.#latencyMs(),
        () => {
          resolve(this.#dated(this.#server.receive(token, 'us')));
        },
        false,
      );
    });
  }

  async #deliver(
    process: VirtualProcess,
    sending: Sending,
    response: Dated,
    onBytes: (bytes: Uint8Array) => void,
    retryAfter: string | null = null,
  ): Promise<Answer> {
    const { status, body } = response;
    // What is no success brings no tokens, and nobody is told of it piece by piece.
    const tell = isSuccess(status) ? onBytes : (): void => undefined;
    const cut = this.#host.random.chance(0.3) ? this.#host.random.below(body.length) : 0;
    if (cut > 0) {
      tell(Buffer.from(body.slice(0, cut)));
      await process.wait(this.#latencyMs());
    }
    tell(Buffer.from(body.slice(cut)));
    const child = this.#server.grantOf(sending.token)?.child ?? null;
    if (child !== null && body.includes(child)) sending.child = child;
    sending.body = body;
    if (status === 200) sending.access = accessIn(body);
    if (status !== 200) sending.isRejected = !sending.isUntouched;
    this.#witness.onAnswer(sending);
    return answerOf(response, retryAfter);
  }

  async #lose(process: VirtualProcess): Promise<Answer> {
    await process.wait(DEADLINE_MS);
    return { kind: 'lost', message: 'no answer in time' };
  }

  #connectMs(): number {
    const { random } = this.#host;
    return random.next() * (random.chance(0.1) ? LONGEST_CONNECT_MS : 200);
  }

  #latencyMs(): number {
    return 5 + this.#host.random.next() * 500;
  }

  /** The server's clock is right, and shows when it answered: not when that comes. */
  #dated(response: Response): Dated {
    return { ...response, dateMs: this.#host.timeline.nowMs };
  }
}

/** A response, and when it was made. */
interface Dated extends Response {
  readonly dateMs: number;
}

function answerOf({ status, body, dateMs }: Dated, retryAfter: string | null = null): Answer {
  return { kind: 'answered', status, body, retryAfter, date: new Date(dateMs).toUTCString() };
}

function accessIn(body: string): string | null {
  return /"access_token":"(?<token>[^"]+)"/.exec(body)?.groups?.['token'] ?? null;
}
