import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { AuthdError, type CredentialSource } from '../../src/index.js';
import { CREDENTIAL } from '../cli/scripted-daemon.js';

/** A request as the server saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly accountId: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What a server answers, by path; with 401 to every token that is not in `good`. */
export interface Backend {
  /** For example `http://127.0.0.1:4711`. */
  readonly origin: string;
  readonly seen: Seen[];
  readonly good: Set<string>;
  /** Redirects by path: the status and the address. */
  readonly redirects: Map<string, readonly [status: number, location: string]>;
}

/** A server that takes good tokens only, ended with the test. `/open` needs none. */
export async function startBackend(...good: string[]): Promise<Backend> {
  const backend = {
    seen: [] as Seen[],
    good: new Set(good),
    redirects: new Map<string, readonly [number, string]>(),
  };
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request;
      const { authorization } = headers;
      const accountId = headers['chatgpt-account-id']?.toString();
      backend.seen.push({ method, path: url, authorization, accountId, headers, body });
      const redirect = backend.redirects.get(url);
      if (redirect !== undefined) {
        response.writeHead(redirect[0], { Location: redirect[1] }).end('moved');
        return;
      }
      const isGood = url === '/open' || backend.good.has(authorization?.replace('Bearer ', '') ?? '');
      response.writeHead(isGood ? 200 : 401).end(isGood ? `hello ${body}` : 'no such token');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { ...backend, origin: `http://127.0.0.1:${String(address.port)}` };
}

/** A source with the tokens `old` and, once that is reported, `new`. */
export class ScriptedSource implements Pick<CredentialSource, 'current' | 'get' | 'rejected'> {
  readonly reports: string[] = [];
  current: CredentialSource['current'];
  /** What a report is answered with instead of the new token. */
  failure: AuthdError | null = null;

  constructor(baseUrl: string) {
    this.current = { ...CREDENTIAL, access_token: 'old', base_url: baseUrl };
  }

  get(): ReturnType<CredentialSource['get']> {
    if (this.current !== null) return Promise.resolve(this.current);
    return Promise.reject(
      new AuthdError('logged_out', 'there is no auth.json', { hint: 'run `codex login`' }),
    );
  }

  rejected(fingerprint: string): ReturnType<CredentialSource['rejected']> {
    this.reports.push(fingerprint);
    if (this.failure !== null) return Promise.reject(this.failure);
    if (this.current === null) return this.get();
    this.current = { ...this.current, access_token: 'new', fingerprint: 'ba9876543210', generation: 9 };
    return Promise.resolve(this.current);
  }
}
