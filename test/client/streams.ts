import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import {
  openCredentialSource,
  type CredentialSource,
  type CredentialSourceOptions,
} from '../../src/index.js';
import type { AccountStatus, CredentialBody } from '../../src/protocol.js';
import {
  ACCOUNT,
  CREDENTIAL,
  event,
  startScriptedDaemon,
  type Handler,
  type Script,
  type ScriptedDaemon,
} from '../cli/scripted-daemon.js';
import { makeDeferred, type Deferred } from '../support/deferred.js';
import { scratchDir } from '../support/scratch-dir.js';

/** The `/v1/events` of a scripted daemon, every connection to it in the test's hands. */
export class Streams {
  /** What a new connection is told at once. */
  greeting: string = told();
  readonly #open: ServerResponse[] = [];
  readonly #waiting: { readonly count: number; readonly arrival: Deferred<undefined> }[] = [];

  readonly handler: Handler = (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(this.greeting === '' ? ': hello\n\n' : this.greeting);
    this.#open.push(response);
    for (const { count, arrival } of this.#waiting)
      if (this.#open.length >= count) arrival.resolve(undefined);
  };

  /** Resolves when there have been so many connections, counted from 1. */
  connection(count: number): Promise<undefined> {
    const arrival = makeDeferred<undefined>();
    if (this.#open.length >= count) arrival.resolve(undefined);
    else this.#waiting.push({ count, arrival });
    return arrival.promise;
  }

  /** Sends to all. */
  send(...texts: string[]): void {
    for (const response of this.#open) response.write(texts.join(''));
  }

  breakOff(): void {
    for (const response of this.#open) response.destroy();
  }
}

/** A state, and the credential that goes with it. */
export function told(credential: Partial<CredentialBody> = {}, state: Partial<AccountStatus> = {}): string {
  const body = { ...CREDENTIAL, ...credential };
  const { fingerprint, generation, expires_at } = body;
  return (
    event('state', { ...ACCOUNT, fingerprint, generation, expires_at, ...state }) + event('credential', body)
  );
}

export const LOGGED_OUT: AccountStatus = {
  ...ACCOUNT,
  state: 'logged_out',
  reason: 'no_file',
  detail: 'there is no auth.json',
  serving: false,
  serves_until: null,
  generation: null,
  fingerprint: null,
};

/** A scripted daemon with such streams, ended with the test. */
export async function startStreams(
  socket: string,
  script: Script = {},
): Promise<{ streams: Streams; daemon: ScriptedDaemon }> {
  const streams = new Streams();
  const daemon = await startScriptedDaemon(socket, { 'GET /v1/events': streams.handler, ...script });
  onTestFinished(daemon.close);
  return { streams, daemon };
}

/** A source that is closed with the test. */
export async function openSource(options: CredentialSourceOptions): Promise<CredentialSource> {
  const source = await openCredentialSource(options);
  onTestFinished(() => source.close());
  return source;
}

/** Resolves when what is current satisfies the test. */
export async function until(
  source: CredentialSource,
  satisfied: (current: CredentialBody | null) => boolean,
): Promise<CredentialBody | null> {
  for await (const current of source) if (satisfied(current)) return current;
  throw new Error('the source was closed');
}

export const NEXT = {
  ...CREDENTIAL,
  generation: 9,
  fingerprint: 'ba9876543210',
  access_token: 'next.access.token',
};

export async function socketPath(): Promise<string> {
  return join(await scratchDir(), 's');
}

/** RFC 3339. */
export function secondsFromNow(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

export function freezeClock(): void {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}
