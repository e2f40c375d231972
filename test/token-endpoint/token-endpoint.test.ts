import { readFileSync } from 'node:fs';
import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import type { SendRefresh } from '../../src/keeper/ports.js';
import { TokenEndpoint, type TokenEndpointOptions } from '../../src/token-endpoint/token-endpoint.js';

const TLS = join(import.meta.dirname, '..', 'support', 'tls');
const TOKEN = new Secret('refresh&token=1');
const ignore = (): void => undefined;
const yes = (): Promise<boolean> => Promise.resolve(true);

type Send = (
  token: Secret,
  onBytes: (bytes: Uint8Array) => void,
  mayLeave?: () => Promise<boolean>,
) => ReturnType<SendRefresh>;

/** One that prepares and sends at once. */
function endpoint(url: string, options: Partial<TokenEndpointOptions> = {}): { send: Send } {
  const base = {
    clientId: 'client-1',
    scope: null,
    bodyFormat: 'json',
    userAgent: 'codex-authd/test',
    env: {},
  } as const;
  const made = new TokenEndpoint({ ...base, url, ...options });
  return {
    send: async (token, onBytes, mayLeave = yes) => (await made.prepare())(token, onBytes, mayLeave),
  };
}

async function listening(server: Server | ReturnType<typeof createTcp>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

interface Seen {
  readonly method: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server that answers every request the same, and remembers them. */
async function serving(
  answer: RequestListener,
): Promise<{ url: string; seen: Seen[]; connections: () => number }> {
  const seen: Seen[] = [];
  let connections = 0;
  const server = createHttp((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      seen.push({ method: request.method, headers: request.headers, body });
      answer(request, response);
    });
  });
  server.on('connection', () => (connections += 1));
  const port = await listening(server);
  return { url: `http://127.0.0.1:${String(port)}/oauth/token`, seen, connections: () => connections };
}

/** A server that does this with each connection once something has come in. */
async function treating(treat: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      treat(socket);
    });
  });
  const port = await listening(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${String(port)}/oauth/token`;
}

describe('what is sent to the token endpoint', () => {
  it('is Codex’s JSON', async () => {
    const { url, seen } = await serving((_request, response) => response.end('{}'));
    await endpoint(url).send(TOKEN, ignore);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'codex-authd/test' },
    });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      client_id: 'client-1',
      grant_type: 'refresh_token',
      refresh_token: 'refresh&token=1',
    });
  });

  it('or the form of RFC 6749, with a scope if one is set', async () => {
    const { url, seen } = await serving((_request, response) => response.end('{}'));
    await endpoint(url, { bodyFormat: 'form', scope: 'openid offline_access' }).send(TOKEN, ignore);
    expect(seen[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(Object.fromEntries(new URLSearchParams(seen[0]?.body))).toEqual({
      client_id: 'client-1',
      grant_type: 'refresh_token',
      refresh_token: 'refresh&token=1',
      scope: 'openid offline_access',
    });
  });

  it('is withheld where somebody has second thoughts while the connection is made', async () => {
    let [hasConnected, received] = [false, 0];
    const server = createTcp((socket) => {
      hasConnected = true;
      socket.on('data', (bytes) => (received += bytes.length)).on('error', () => undefined);
    });
    const url = `http://127.0.0.1:${String(await listening(server))}/`;
    const asked: boolean[] = [];
    const answer = await endpoint(url).send(TOKEN, ignore, async () => {
      // The server hears of the connection in a turn of its own.
      while (!hasConnected) await nextTurn();
      asked.push(hasConnected);
      return false;
    });
    expect(answer).toMatchObject({ kind: 'never_sent', code: 'withheld' });
    expect([asked, received]).toEqual([[true], 0]);
  });

  it('goes over a connection of its own each time: a kept one may be dead', async () => {
    const { url, connections } = await serving((_request, response) => response.end('{}'));
    const kept = endpoint(url);
    await kept.send(TOKEN, ignore);
    await kept.send(TOKEN, ignore);
    expect(connections()).toBe(2);
  });
});

describe('what comes back from the token endpoint', () => {
  it('is told as it is: status, body, Retry-After and Date', async () => {
    const { url } = await serving((_request, response) => {
      response.writeHead(429, { 'retry-after': '7', date: 'Sun, 22 Nov 2026 12:00:00 GMT' }).end('slow down');
    });
    expect(await endpoint(url).send(TOKEN, ignore)).toEqual({
      kind: 'answered',
      status: 429,
      body: 'slow down',
      retryAfter: '7',
      date: 'Sun, 22 Nov 2026 12:00:00 GMT',
    });
  });

  it('holds no refresh token where the server complains about it by name', async () => {
    const { url } = await serving((_request, response) => {
      response.writeHead(400).end(JSON.stringify({ error: TOKEN.reveal() }));
    });
    const answer = await endpoint(url).send(TOKEN, ignore);
    expect(answer).toMatchObject({ status: 400, body: JSON.stringify({ error: TOKEN.fingerprint }) });
  });

  it.each([200, 201, 203])(
    'is left as it is where the server gives the same token again: %i',
    async (status) => {
      const body = JSON.stringify({ access_token: 'abc', refresh_token: TOKEN.reveal() });
      const { url } = await serving((_request, response) => response.writeHead(status).end(body));
      expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ status, body });
    },
  );

  it('is shown piece by piece as it comes, all of it, before the answer is told', async () => {
    const { url } = await serving((_request, response) => {
      response.write('{"access_');
      setImmediate(() => response.end('token":"abc"}'));
    });
    const pieces: string[] = [];
    const answer = await endpoint(url).send(TOKEN, (bytes) => pieces.push(Buffer.from(bytes).toString()));
    expect(answer).toMatchObject({ body: '{"access_token":"abc"}' });
    expect(pieces.join('')).toBe('{"access_token":"abc"}');
  });

  it.each([302, 400, 502])(
    'is shown to nobody where it is no success, and may repeat the request: %i',
    async (status) => {
      const { url } = await serving((_request, response) => {
        response.writeHead(status).end(JSON.stringify({ refresh_token: TOKEN.reveal() }));
      });
      const pieces: string[] = [];
      const show = (bytes: Uint8Array): unknown => pieces.push(Buffer.from(bytes).toString());
      expect(await endpoint(url).send(TOKEN, show)).toMatchObject({ status });
      expect(pieces).toEqual([]);
    },
  );

  it('is shown after hints that came before it', async () => {
    const { url } = await serving((_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.end('{}');
    });
    const pieces: string[] = [];
    await endpoint(url).send(TOKEN, (bytes) => pieces.push(Buffer.from(bytes).toString()));
    expect(pieces).toEqual(['{}']);
  });

  it.each([301, 302, 307, 308])('follows no redirect: %i', async (status) => {
    const { url, seen } = await serving((_request, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ kind: 'answered', status });
    expect(seen).toHaveLength(1);
  });

  it('is lost when the answer is over 1 MiB', async () => {
    const { url, seen } = await serving((_request, response) => response.end('x'.repeat(2 * 1024 * 1024)));
    expect(await endpoint(url).send(TOKEN, ignore)).toEqual({
      kind: 'lost',
      message: 'the answer is over 1 MiB',
    });
    expect(seen).toHaveLength(1);
  });

  it('is lost when the connection is reset before the answer', async () => {
    let requests = 0;
    const url = await treating((socket) => {
      requests += 1;
      socket.resetAndDestroy();
    });
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ kind: 'lost' });
    expect(requests).toBe(1);
  });

  it('is lost when the connection is closed in the middle of the answer', async () => {
    const url = await treating((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"access_token":"');
    });
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ kind: 'lost' });
  });

  it('is not lost when the connection breaks after the whole of it has come, but before the end is marked', async () => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    const url = await treating((socket) => socket.end(`${head}16\r\n{"access_token":"abc"}\r\n`));
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({
      kind: 'answered',
      body: '{"access_token":"abc"}',
    });
  });

  it('is lost when there is no answer in time', async () => {
    const url = await treating(() => undefined);
    expect(await endpoint(url, { deadlineMs: 200 }).send(TOKEN, ignore)).toEqual({
      kind: 'lost',
      message: 'no answer in time',
    });
  });

  it('is lost when the answer begins in time and does not end', async () => {
    const url = await treating((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{'));
    expect(await endpoint(url, { deadlineMs: 200 }).send(TOKEN, ignore)).toEqual({
      kind: 'lost',
      message: 'no answer in time',
    });
  });

  it('has all the time that an answer may take, however long the way to the server was', async () => {
    const late: string[] = [];
    const url = await treating((socket) => {
      setTimeout(() => {
        late.push('answered');
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"access_token":"abc"}');
      }, 800);
    });
    const dawdling = (): Promise<boolean> => pause(1500, true);
    expect(await endpoint(url, { deadlineMs: 2000 }).send(TOKEN, ignore, dawdling)).toMatchObject({
      kind: 'answered',
      body: '{"access_token":"abc"}',
    });
    expect(late).toEqual(['answered']);
  });

  it('was certainly never sent when there is no way to the server in time', async () => {
    const url = await treating(() => undefined);
    const dawdling = (): Promise<boolean> => pause(2000, true);
    expect(await endpoint(url, { deadlineMs: 200 }).send(TOKEN, ignore, dawdling)).toMatchObject({
      kind: 'never_sent',
    });
  });

  it('is lost when it is no HTTP', async () => {
    const url = await treating((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ kind: 'lost' });
  });

  it('was certainly never sent when nobody listens', async () => {
    const server = createTcp();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const answer = await endpoint(`http://127.0.0.1:${String(port)}/`).send(TOKEN, ignore);
    expect(answer).toMatchObject({ kind: 'never_sent', code: 'ECONNREFUSED' });
  });
});

describe('a token endpoint behind TLS', () => {
  async function servingTls(): Promise<{ url: string; requests: () => number }> {
    let requests = 0;
    const keys = { key: readFileSync(join(TLS, 'server.key')), cert: readFileSync(join(TLS, 'server.pem')) };
    const server = createHttps(keys, (request, response) => {
      requests += 1;
      request.resume();
      response.end('{}');
    });
    server.on('tlsClientError', () => undefined);
    return {
      url: `https://127.0.0.1:${String(await listening(server))}/oauth/token`,
      requests: () => requests,
    };
  }

  it('gets nothing as long as its certificate is not trusted', async () => {
    const { url, requests } = await servingTls();
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ kind: 'never_sent' });
    expect(requests()).toBe(0);
  });

  it.each(['CODEX_CA_CERTIFICATE', 'SSL_CERT_FILE'])(
    'is trusted when %s names its root',
    async (variable) => {
      const { url } = await servingTls();
      const env = { [variable]: join(TLS, 'ca.pem') };
      expect(await endpoint(url, { env }).send(TOKEN, ignore)).toMatchObject({
        kind: 'answered',
        status: 200,
      });
    },
  );

  it('gets nothing when the file of roots cannot be used', async () => {
    const { url, requests } = await servingTls();
    for (const file of ['/nonexistent.pem', join(TLS, '..', 'scratch-dir.ts')]) {
      await expect(endpoint(url, { env: { SSL_CERT_FILE: file } }).send(TOKEN, ignore)).rejects.toMatchObject(
        {
          code: 'bad_configuration',
          message: expect.stringContaining('SSL_CERT_FILE') as string,
        },
      );
    }
    expect(requests()).toBe(0);
  });

  it('gets nothing when the proxy is none', async () => {
    const { url } = await servingTls();
    await expect(
      endpoint(url, { env: { HTTPS_PROXY: 'no proxy' } }).send(TOKEN, ignore),
    ).rejects.toMatchObject({
      code: 'bad_configuration',
    });
  });

  it('is reached through the proxy that the environment names, and not for what NO_PROXY names', async () => {
    const { url } = await servingTls();
    const proxy = await startProxy((port) => connect(port, '127.0.0.1'));
    const env = { HTTPS_PROXY: proxy.url, CODEX_CA_CERTIFICATE: join(TLS, 'ca.pem') };
    expect(await endpoint(url, { env }).send(TOKEN, ignore)).toMatchObject({ kind: 'answered', status: 200 });
    expect(proxy.tunnels()).toBe(1);
    const past = { ...env, NO_PROXY: '127.0.0.1' };
    expect(await endpoint(url, { env: past }).send(TOKEN, ignore)).toMatchObject({
      kind: 'answered',
      status: 200,
    });
    expect(proxy.tunnels()).toBe(1);
  });

  it('was certainly never sent anything when the proxy refuses', async () => {
    const { url, requests } = await servingTls();
    const proxy = await startProxy(() => null);
    const env = { https_proxy: proxy.url, CODEX_CA_CERTIFICATE: join(TLS, 'ca.pem') };
    expect(await endpoint(url, { env }).send(TOKEN, ignore)).toMatchObject({ kind: 'never_sent' });
    expect(proxy.tunnels()).toBe(1);
    expect(requests()).toBe(0);
  });

  it('gives an answer that is lost when it is over 1 MiB, also through a proxy', async () => {
    const keys = { key: readFileSync(join(TLS, 'server.key')), cert: readFileSync(join(TLS, 'server.pem')) };
    const server = createHttps(keys, (_request, response) => response.end('x'.repeat(2 * 1024 * 1024)));
    const url = `https://127.0.0.1:${String(await listening(server))}/`;
    const proxy = await startProxy((port) => connect(port, '127.0.0.1'));
    const env = { HTTPS_PROXY: proxy.url, CODEX_CA_CERTIFICATE: join(TLS, 'ca.pem') };
    expect(await endpoint(url, { env }).send(TOKEN, ignore)).toMatchObject({
      kind: 'lost',
      message: 'the answer is over 1 MiB',
    });
  });

  async function startProxy(
    dial: (port: number) => Socket | null,
  ): Promise<{ url: string; tunnels: () => number }> {
    let tunnels = 0;
    const server = createHttp();
    server.on('connect', (request: IncomingMessage, client: Socket) => {
      tunnels += 1;
      client.on('error', () => undefined);
      const target = dial(Number(request.url?.split(':').at(-1)));
      if (target === null) {
        client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        return;
      }
      target.on('error', () => undefined);
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
      onTestFinished(() => {
        target.destroy();
        client.destroy();
      });
    });
    return { url: `http://127.0.0.1:${String(await listening(server))}`, tunnels: () => tunnels };
  }
});
