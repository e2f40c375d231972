import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { ask, dial, parseProblem, start, until, type Asking } from './harness.js';
import { makeCredential } from './scripted-keeper.js';

const FINGERPRINT = '0123456789ab';

function report(body: string, headers: Asking['headers'] = {}): Asking {
  return { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body };
}

const GOOD = report(JSON.stringify({ fingerprint: FINGERPRINT }));

describe('POST /v1/rejected', () => {
  it('tells the keeper what was rejected, and gives the credential that it gives', async () => {
    const { socketPath, keeper } = await start();
    keeper.onRejected = () => Promise.resolve(makeCredential({ token: 'another', generation: 8 }));
    const reply = await ask(socketPath, '/v1/rejected?account=default&min_valid=30&wait=4', GOOD);
    expect(reply).toMatchObject({ status: 200, headers: { etag: '"8"', 'cache-control': 'no-store' } });
    expect(JSON.parse(reply.body)).toMatchObject({ access_token: 'another', generation: 8 });
    expect(keeper.reported).toEqual([
      { fingerprint: FINGERPRINT, minValidMs: 30_000, waitMs: 4000, signal: expect.any(AbortSignal) },
    ]);
  });

  it('gives no token that expires on the way', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.onRejected = () => Promise.resolve(makeCredential({ expiresAtMs: clock.now() }));
    const reply = await ask(socketPath, '/v1/rejected', GOOD);
    expect(reply.status).toBe(503);
    expect(parseProblem(reply).code).toBe('unavailable');
  });

  it('says when it is worth to report again, in the header as well', async () => {
    const { socketPath, keeper, clock } = await start();
    const retryAtMs = clock.now() + 42_000;
    keeper.onRejected = () => Promise.reject(new AuthdError('rate_limited', 'too soon', { retryAtMs }));
    const reply = await ask(socketPath, '/v1/rejected', GOOD);
    expect(reply).toMatchObject({ status: 429, headers: { 'retry-after': '42' } });
    expect(parseProblem(reply).retry_at).toBe(new Date(retryAtMs).toISOString());
  });

  it('lets go of a client that goes away', async () => {
    const { socketPath, keeper } = await start();
    const leaving = new AbortController();
    keeper.onRejected = () => new Promise(() => undefined);
    const left = ask(socketPath, '/v1/rejected', { ...GOOD, signal: leaving.signal });
    await until(() => keeper.reported.length === 1);
    leaving.abort();
    await expect(left).rejects.toThrow();
    await until(() => keeper.reported[0]?.signal?.aborted === true);
  });

  const hostile: [what: string, asking: Asking, status: number][] = [
    ['without a body', { method: 'POST' }, 400],
    ['as a form', { ...GOOD, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }, 400],
    ['with the token in place of its fingerprint', report('{"fingerprint":"eyJ-secret"}'), 400],
    ['with the token as a field', report('{"eyJ-secret":1}'), 400],
    ['that says that it is compressed', report('\x1f\x8b', { 'Content-Encoding': 'gzip' }), 400],
    ['of brackets only', report('['.repeat(32 * 1024)), 400],
    ['of a byte too much', report(' '.repeat(32 * 1024 + 1)), 413],
    ['of an unknown account', GOOD, 404],
    ['from a browser', report('{}', { Origin: 'http://localhost' }), 400],
  ];

  it.each(hostile)(
    'refuses a report %s, which has no effect and is repeated nowhere',
    async (what, asking, status) => {
      const { socketPath, keeper, logged } = await start();
      const path = what === 'of an unknown account' ? '/v1/rejected?account=x' : '/v1/rejected';
      const reply = await ask(socketPath, path, asking);
      expect(reply.status).toBe(status);
      expect(keeper.reported).toEqual([]);
      expect(reply.body + JSON.stringify(logged)).not.toContain('eyJ');
      expect((await ask(socketPath, '/v1/rejected', GOOD)).status).toBe(200);
    },
  );

  it('refuses a body that turns out to be too large, in pieces, without keeping it', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    const head = 'POST /v1/rejected HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    connection.socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    for (let piece = 0; piece < 33; piece += 1) connection.socket.write(`400\r\n${' '.repeat(1024)}\r\n`);
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 413 /);
    expect(keeper.reported).toEqual([]);
  });

  it('takes half a body for nothing', async () => {
    const { socketPath, keeper } = await start();
    const connection = await dial(socketPath);
    const head = 'POST /v1/rejected HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    connection.socket.end(`${head}Content-Length: 100\r\n\r\n{"fingerprint":"${FINGERPRINT}"}`);
    await connection.ended;
    expect(keeper.reported).toEqual([]);
  });
});
