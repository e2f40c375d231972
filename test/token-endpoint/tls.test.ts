import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { endpoint, ignore, listening, TOKEN } from './scene.js';

const TLS = join(import.meta.dirname, '..', 'support', 'tls');

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
