import { describe, expect, it } from 'vitest';
import { Agent } from 'node:http';
import type { ProblemBody } from '../../src/protocol.js';
import { readOpenFileLimit } from '../../src/server/limits.js';
import { readEvents } from './event-reader.js';
import { ask, dial, start, until, type RawConnection } from './harness.js';
import { makeCredential } from './scripted-keeper.js';

const GET_TOKEN = 'GET /v1/token HTTP/1.1\r\nHost: localhost\r\n\r\n';
const TOKEN_LINE = 'token-of-generation-7\n';

describe('bytes that are no request of ours', () => {
  const refused: [string, string, number][] = [
    ['no HTTP', 'hello?\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['zero bytes', '\0\0\0\0\0\0', 400],
    ['an unknown method', 'STEAL /v1/token HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a space in the target', 'GET /v1/to ken HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['no Host', 'GET /v1/token HTTP/1.1\r\n\r\n', 400],
    ['no Host in HTTP/1.0', 'GET /v1/token HTTP/1.0\r\n\r\n', 400],
    ['two Hosts', 'GET /v1/token HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n', 400],
    ['an empty Host', 'GET /v1/token HTTP/1.1\r\nHost:\r\n\r\n', 400],
    ['the target *', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['an absolute target', 'GET http://localhost/v1/token HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['a broken absolute target', 'GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['CONNECT', 'CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['two slashes', 'GET // HTTP/1.1\r\nHost: localhost\r\n\r\n', 404],
    ['a fragment', 'GET /v1/token#x HTTP/1.1\r\nHost: localhost\r\n\r\n', 404],
    [
      'two lengths',
      'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    [
      'a length and chunks',
      'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    [
      'a broken chunk',
      'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    [
      'a header line of 20 kB',
      `GET /v1/token HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      413,
    ],
    ['a target of 20 kB', `GET /v1/token?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 413],
    ['10000 headers', `GET /v1/token HTTP/1.1\r\nHost: localhost\r\n${'a:b\r\n'.repeat(10_000)}\r\n`, 413],
    [
      'an Origin behind 2500 headers',
      `GET /v1/token HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(2500)}Origin: x\r\n\r\n`,
      400,
    ],
  ];

  it.each(refused)('%s is answered with a problem', async (_name, bytes, status) => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(bytes);
    const received = await connection.until((text) => text.includes('"code"') && text.endsWith('}'));
    expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
    expect(received).toMatch(/^cache-control: no-store\r$/im);
    expect(received).toMatch(/^content-type: application\/problem\+json\r$/im);
    const body = received.slice(received.indexOf('\r\n\r\n') + 4);
    expect((JSON.parse(body) as ProblemBody).status).toBe(status);
    expect(Number(/^content-length: (\d+)\r$/im.exec(received)?.[1])).toBe(Buffer.byteLength(body));
    expect(keeper.asked).toEqual([]);
    expect(keeper.refreshed).toEqual([]);
    expect((await ask(socketPath, '/v1/token')).status).toBe(200);
  });

  it('end the connection, and what follows them is not looked at', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(`hello?\r\n\r\n${GET_TOKEN}`);
    const received = await connection.ended;
    expect(received.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(keeper.asked).toEqual([]);
  });

  it('behind an answer that goes on end it without being taken for a part of it', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await connection.until((text) => text.includes('event: credential'));
    connection.socket.write('hello?\r\n\r\n');
    expect(await connection.ended).not.toContain('bad_request');
    await until(() => keeper.listeners === 0);
  });

  it('behind a request that waits end the waiting', async () => {
    const { socketPath, keeper } = await start();
    keeper.onCredential = () => new Promise(() => undefined);
    const connection = await dial(socketPath);
    connection.socket.write(GET_TOKEN);
    await until(() => keeper.asked.length === 1);
    connection.socket.write('hello?\r\n\r\n');
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 400 /);
    await until(() => keeper.asked[0]?.signal?.aborted === true);
  });

  it('that ask for an upgrade get an ordinary answer', async () => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/token', {
      headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
    });
    expect(reply).toMatchObject({ status: 200, body: TOKEN_LINE });
  });

  it('that expect something unknown get an ordinary answer', async () => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/token', { headers: { Expect: 'the-unexpected' } });
    expect(reply).toMatchObject({ status: 200, body: TOKEN_LINE, headers: { 'cache-control': 'no-store' } });
  });
});

describe('bodies', () => {
  const post = (length: number): string =>
    `POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${String(length)}\r\n\r\n`;
  const chunked = 'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';

  it('of 64 KiB are read away, and the connection serves on', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(post(65_536) + 'x'.repeat(65_536) + GET_TOKEN);
    await connection.until((text) => text.endsWith(TOKEN_LINE));
    expect(keeper.refreshed).toHaveLength(1);
  });

  it('that announce a byte more are a 413 at once, and end the connection', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(post(65_537));
    const received = await connection.ended;
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
    expect(received).toMatch(/^connection: close\r$/im);
    expect(keeper.refreshed).toEqual([]);
  });

  it('that turn out to be a byte more are a 413 too', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(`${chunked}10000\r\n${'x'.repeat(65_536)}\r\n1\r\nx\r\n`);
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 413 /);
    expect(keeper.refreshed).toEqual([]);
  });

  it('that are announced with 100-continue are read as well', async () => {
    const { socketPath } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(post(2).replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'));
    await connection.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    connection.socket.write('{}');
    await connection.until((text) => text.includes('HTTP/1.1 200 OK'));
  });

  it('that never end have no effect, and end when the client goes away', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    connection.socket.write(`${post(100)}half of it`);
    expect((await ask(socketPath, '/v1/token')).status).toBe(200);
    connection.socket.destroy();
    await connection.ended;
    expect((await ask(socketPath, '/v1/token')).status).toBe(200);
    expect(keeper.refreshed).toEqual([]);
  });
});

describe('one connection', () => {
  it('is answered in order, and a later request is not begun before the one before it is answered', async () => {
    const { socketPath, keeper } = await start();
    const finish: (() => void)[] = [];
    keeper.onCredential = async () => {
      await new Promise<void>((resolve) => finish.push(resolve));
      return makeCredential();
    };
    const connection = await dial(socketPath);
    connection.socket.write(GET_TOKEN + GET_TOKEN + GET_TOKEN);
    for (let answered = 1; answered <= 3; answered += 1) {
      await until(() => finish.length === answered);
      expect((await ask(socketPath, '/v1/status')).status).toBe(200);
      expect(keeper.asked).toHaveLength(answered);
      finish.at(-1)?.();
      await connection.until((text) => text.split(TOKEN_LINE).length === answered + 1);
    }
  });

  it('that asks for more and more without waiting is ended', async () => {
    const { socketPath, keeper } = await start();
    keeper.onCredential = () => new Promise(() => undefined);
    const connection = await dial(socketPath);
    connection.socket.write(GET_TOKEN.repeat(100));
    await connection.ended;
    expect(keeper.asked).toHaveLength(1);
    await until(() => keeper.asked[0]?.signal?.aborted === true);
  });

  it('serves request after request', async () => {
    const { socketPath } = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let request = 0; request < 200; request += 1) {
      const { status, headers } = await ask(socketPath, '/v1/token', { agent });
      expect(status).toBe(200);
      expect(headers['keep-alive']).toBe('timeout=30');
    }
    agent.destroy();
  });

  it('of HTTP/1.0 is answered and closed', async () => {
    const { socketPath } = await start();
    const connection = await dial(socketPath);
    connection.socket.write('GET /v1/token HTTP/1.0\r\nHost: localhost\r\n\r\n');
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 200 OK[^]*token-of-generation-7\n$/);
  });

  it('whose answers are not read is ended after 60 s', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.set({ credential: makeCredential({ token: 'x'.repeat(5_000_000) }) });
    const connection = await dial(socketPath);
    connection.socket.pause();
    connection.socket.write(GET_TOKEN);
    await until(() => clock.waiting === 1);
    clock.advance(60_000);
    connection.socket.resume();
    expect((await connection.ended).length).toBeLessThan(5_000_000);
    expect(clock.waiting).toBe(0);
  });
});

describe('while others misbehave, a client is served at once:', () => {
  it('300 connections that say nothing, 300 with half a request, 100 with half a body', async () => {
    const { socketPath, keeper } = await start();
    const half = 'GET /v1/token HTTP/1.1\r\nHost: loc';
    const halfBody = 'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx';
    const garbage = [
      ...Array<string>(300).fill(''),
      ...Array<string>(300).fill(half),
      ...Array<string>(100).fill(halfBody),
    ];
    const connections = await Promise.all(garbage.map((bytes) => dialAndSend(socketPath, bytes)));
    const startedMs = performance.now();
    for (let request = 0; request < 100; request += 1) {
      expect((await ask(socketPath, '/v1/token')).body).toBe(TOKEN_LINE);
    }
    // The first of the others would be ended for their slowness after 10 s.
    expect(performance.now() - startedMs).toBeLessThan(8000);
    expect(keeper.refreshed).toEqual([]);
    for (const { socket } of connections) socket.destroy();
  });

  it('200 that wait for a rotation, and 100 event streams that are not read', async () => {
    const { server, socketPath, keeper, clock } = await start();
    const streams = await Promise.all(Array.from({ length: 100 }, () => readEvents(socketPath)));
    for (const { response } of streams) response.pause();
    keeper.onCredential = ({ minValidMs }) =>
      minValidMs > 60_000 ? new Promise(() => undefined) : Promise.resolve(makeCredential());
    const waiting = Array.from({ length: 200 }, () => ask(socketPath, '/v1/credential?min_valid=61'));
    await until(() => keeper.asked.length === 200);
    keeper.renew(makeCredential({ token: 'x'.repeat(50_000) }));
    expect((await ask(socketPath, '/v1/token')).body).toBe(TOKEN_LINE);
    for (const { response } of streams) response.destroy();
    await until(() => keeper.listeners === 0);
    const settled = Promise.allSettled(waiting);
    const closed = server.close();
    await until(() => clock.waiting > 0);
    clock.advance(1000);
    await closed;
    await settled;
  });

  it('more connections than there is room for: the oldest idle one has to go', async () => {
    const { socketPath, keeper } = await start({ limits: { connections: 20 } });
    keeper.onCredential = ({ minValidMs }) =>
      minValidMs > 60_000 ? new Promise(() => undefined) : Promise.resolve(makeCredential());
    const waiting = await dialAndSend(socketPath, GET_TOKEN.replace('token', 'token?min_valid=61'));
    await until(() => keeper.asked.length === 1);
    const idle: RawConnection[] = [];
    for (let index = 0; index < 19; index += 1) idle.push(await dialAndSend(socketPath, 'GET /'));
    expect((await ask(socketPath, '/v1/token')).body).toBe(TOKEN_LINE);
    expect(await idle[0]?.ended).toBe('');
    for (let index = 0; index < 100; index += 1) await dialAndSend(socketPath, 'GET /');
    expect((await ask(socketPath, '/v1/token')).body).toBe(TOKEN_LINE);
    expect(waiting.socket.closed).toBe(false);
    expect(keeper.asked[0]?.signal?.aborted).toBe(false);
  });

  it('half requests with a body where there is room for no more: they go before one that waits', async () => {
    const { socketPath, keeper } = await start({ limits: { connections: 10 } });
    keeper.onCredential = () => new Promise(() => undefined);
    const waiting = await dialAndSend(socketPath, GET_TOKEN);
    await until(() => keeper.asked.length === 1);
    const half = 'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx';
    const halves: RawConnection[] = [];
    for (let index = 0; index < 30; index += 1) halves.push(await dialAndSend(socketPath, half));
    await Promise.all(halves.slice(0, 21).map(({ ended }) => ended));
    expect(waiting.socket.closed).toBe(false);
    expect(keeper.asked[0]?.signal?.aborted).toBe(false);
  });

  it('nothing but waiting requests where there is room for no more: the oldest of them has to go', async () => {
    const { socketPath, keeper } = await start({ limits: { connections: 10 } });
    keeper.onCredential = () => new Promise(() => undefined);
    const waiting = await Promise.all(Array.from({ length: 10 }, () => dialAndSend(socketPath, GET_TOKEN)));
    await until(() => keeper.asked.length === 10);
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
    await until(() => keeper.asked.filter(({ signal }) => signal?.aborted).length === 1);
    expect(waiting.filter(({ socket }) => socket.closed)).toHaveLength(1);
  });
});

describe('a slow sender', () => {
  it('of headers or of a body is told so and ended', async () => {
    const limits = { headersTimeoutMs: 100, requestTimeoutMs: 100, timeoutCheckMs: 20 };
    const { socketPath, keeper } = await start({ limits });
    const slow = await Promise.all(
      [
        '',
        'GET /v1/token HTTP/1.1\r\n',
        'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nx',
      ].map((bytes) => dialAndSend(socketPath, bytes)),
    );
    for (const connection of slow) {
      const received = await connection.ended;
      expect(received).toMatch(/^HTTP\/1\.1 400 [^]*took too long/);
      expect(received).toContain('Cache-Control: no-store');
      expect(received).toContain('Server: codex-authd/1.2.3');
    }
    expect(keeper.refreshed).toEqual([]);
  });

  it('is never one that waits for an answer', async () => {
    const limits = { headersTimeoutMs: 20, requestTimeoutMs: 20, timeoutCheckMs: 10, keepAliveMs: 20 };
    const { socketPath, keeper } = await start({ limits });
    keeper.onCredential = async () => {
      await (
        await dial(socketPath)
      ).ended;
      return makeCredential();
    };
    // The answer comes when another connection has been ended for its slowness.
    expect((await ask(socketPath, '/v1/token')).body).toBe(TOKEN_LINE);
  });
});

describe('readOpenFileLimit', () => {
  it('reads the soft limit', () => {
    const text = 'Limit                     Soft Limit           Hard Limit           Units     \n';
    expect(
      readOpenFileLimit(`${text}Max open files            1024                 524288               files\n`),
    ).toBe(1024);
    expect(
      readOpenFileLimit(`${text}Max open files            unlimited            unlimited            files\n`),
    ).toBe(Infinity);
    expect(readOpenFileLimit('')).toBe(Infinity);
  });
});

async function dialAndSend(socketPath: string, bytes: string): Promise<RawConnection> {
  const connection = await dial(socketPath);
  connection.socket.write(bytes);
  return connection;
}
