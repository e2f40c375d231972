import { createServer as createTcp } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { endpoint, ignore, listening, serving, TOKEN, treating } from './scene.js';

describe('what is sent to the token endpoint', () => {
  it('is Codex’s JSON', async () => {
    const { url, seen } = await serving((_request, response) => response.end('{}'));
    await endpoint(url).send(TOKEN, ignore);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'codex-authd/test',
        // Without that a server may choose a coding (RFC 9110 §12.5.3), and nobody could read the tokens.
        'accept-encoding': 'identity',
      },
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

  it('is read with a byte order mark before it, too', async () => {
    const { url } = await serving((_request, response) => response.end('\uFEFF{"access_token":"abc"}'));
    expect(await endpoint(url).send(TOKEN, ignore)).toMatchObject({ body: '{"access_token":"abc"}' });
  });

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
