import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import { describe, expect, it } from 'vitest';
import { ask, dial, start, until } from './harness.js';
import { makeCredential } from './scripted-keeper.js';

describe('closing the server', () => {
  it('lets an answer in flight end', async () => {
    const { server, socketPath, keeper } = await start();
    let rotated: () => void = () => undefined;
    keeper.onCredential = async () => {
      await new Promise<void>((resolve) => (rotated = resolve));
      return makeCredential();
    };
    const agent = new Agent({ keepAlive: true });
    const waiting = ask(socketPath, '/v1/token', { agent });
    await until(() => keeper.asked.length === 1);
    const closed = server.close();
    expect(existsSync(socketPath)).toBe(false);
    rotated();
    expect(await waiting).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
    agent.destroy();
  });

  it('cuts off after a second what does not end', async () => {
    const { server, socketPath, keeper, clock } = await start();
    keeper.onCredential = () => new Promise(() => undefined);
    const waiting = ask(socketPath, '/v1/token');
    const failure = waiting.catch((error: unknown) => error);
    await until(() => keeper.asked.length === 1);
    let isClosed = false;
    const closed = server.close().then(() => (isClosed = true));
    await until(() => clock.waiting === 1);
    clock.advance(999);
    await ask(socketPath, '/v1/token').catch(() => undefined);
    expect(isClosed).toBe(false);
    clock.advance(1);
    await closed;
    expect(await failure).toBeInstanceOf(Error);
    await until(() => keeper.asked[0]?.signal?.aborted === true);
    expect(clock.waiting).toBe(0);
  });

  it('ends connections that are idle at once', async () => {
    const { server, socketPath } = await start();
    const silent = await dial(socketPath);
    const kept = await dial(socketPath);
    kept.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await kept.until((text) => text.includes('200 OK'));
    await server.close();
    await Promise.all([silent.ended, kept.ended]);
  });

  it('does not begin what is queued behind an answer', async () => {
    const { server, socketPath, keeper } = await start();
    let rotated: () => void = () => undefined;
    keeper.onCredential = async () => {
      await new Promise<void>((resolve) => (rotated = resolve));
      return makeCredential();
    };
    const connection = await dial(socketPath);
    connection.socket.write('GET /v1/token HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3));
    await until(() => keeper.asked.length === 1);
    const closed = server.close();
    expect(existsSync(socketPath)).toBe(false);
    rotated();
    expect((await connection.ended).match(/200 OK/g)).toHaveLength(1);
    await closed;
    expect(keeper.asked).toHaveLength(1);
  });

  it('refuses whoever comes later', async () => {
    const { server, socketPath } = await start();
    await server.close();
    await expect(ask(socketPath, '/healthz')).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });

  it('twice is closing once', async () => {
    const { server } = await start();
    expect(server.close()).toBe(server.close());
    await server.close();
  });
});
