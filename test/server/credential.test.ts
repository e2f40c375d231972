import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import type { CredentialBody } from '../../src/protocol.js';
import { ask, parseProblem, start, until } from './harness.js';
import { createScriptedKeeper, makeCredential } from './scripted-keeper.js';

const BODY: CredentialBody = {
  account: 'default',
  access_token: 'token-of-generation-7',
  token_type: 'Bearer',
  expires_at: '2026-12-02T11:00:00.000Z',
  account_id: 'acct-1',
  plan: 'pro',
  generation: 7,
  fingerprint: makeCredential().accessToken.fingerprint,
  base_url: 'https://chatgpt.com/backend-api/codex',
};

describe('GET /v1/credential', () => {
  it('gives the whole credential, with its generation as the ETag', async () => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/credential');
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual(BODY);
    expect(reply.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      etag: '"7"',
      'content-length': String(Buffer.byteLength(reply.body)),
    });
  });

  it('gives a static credential with expires_at null', async () => {
    const { socketPath, keeper } = await start();
    keeper.set({ credential: makeCredential({ expiresAtMs: null, accountId: null, plan: null }) });
    const reply = await ask(socketPath, '/v1/credential');
    expect(JSON.parse(reply.body)).toEqual({ ...BODY, expires_at: null, account_id: null, plan: null });
  });

  it('writes an expiry after the year 9999 as the last instant that RFC 3339 can hold', async () => {
    const { socketPath, keeper } = await start();
    keeper.set({ credential: makeCredential({ expiresAtMs: 8.64e15 }) });
    const reply = await ask(socketPath, '/v1/credential');
    expect(JSON.parse(reply.body)).toMatchObject({ expires_at: '9999-12-31T23:59:59.999Z' });
  });

  it('asks for 60 s of validity and waits for 25 s where the request says nothing', async () => {
    const { socketPath, keeper } = await start();
    await ask(socketPath, '/v1/credential');
    expect(keeper.asked).toMatchObject([{ minValidMs: 60_000, waitMs: 25_000 }]);
  });

  it('passes min_valid and wait on, in fractions of a second too', async () => {
    const { socketPath, keeper } = await start();
    await ask(socketPath, '/v1/credential?min_valid=0.5&wait=600');
    await ask(socketPath, '/v1/credential?wait=0&min_valid=2592000');
    expect(keeper.asked).toMatchObject([
      { minValidMs: 500, waitMs: 600_000 },
      { minValidMs: 2_592_000_000, waitMs: 0 },
    ]);
  });

  it('asks the account that is named, also one that was added after the start', async () => {
    const { socketPath, keepers } = await start();
    const work = createScriptedKeeper('work & play');
    work.set({ credential: makeCredential({ token: 'of-work', generation: 3 }) });
    keepers.set(work.account, work);
    const reply = await ask(socketPath, '/v1/credential?account=work+%26%20play');
    expect(JSON.parse(reply.body)).toMatchObject({
      account: 'work & play',
      access_token: 'of-work',
      generation: 3,
    });
  });

  it('never gives out a token that expires at the very moment of sending', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.onCredential = () => Promise.resolve(makeCredential({ expiresAtMs: clock.now() }));
    for (const path of ['/v1/credential', '/v1/token']) {
      const reply = await ask(socketPath, path);
      expect(reply.status).toBe(503);
      expect(parseProblem(reply).code).toBe('unavailable');
      expect(reply.body).not.toContain('token-of-generation-7');
    }
  });

  it('waits for the keeper while other requests are answered', async () => {
    const { socketPath, keeper } = await start();
    let rotated: () => void = () => undefined;
    keeper.onCredential = async () => {
      await new Promise<void>((resolve) => (rotated = resolve));
      return makeCredential({ token: 'new', generation: 8 });
    };
    const waiting = ask(socketPath, '/v1/credential?min_valid=3600');
    await until(() => keeper.asked.length === 1);
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
    rotated();
    expect(JSON.parse((await waiting).body)).toMatchObject({ access_token: 'new', generation: 8 });
  });

  it('tells the keeper when the client that waits goes away, and logs no failure', async () => {
    const { socketPath, keeper, logged } = await start();
    keeper.onCredential = ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(new Error('nobody waits any more'));
        });
      });
    const client = new AbortController();
    const waiting = ask(socketPath, '/v1/credential', { signal: client.signal });
    await until(() => keeper.asked.length === 1);
    expect(keeper.asked[0]?.signal?.aborted).toBe(false);
    client.abort();
    await expect(waiting).rejects.toThrow();
    await until(() => keeper.asked[0]?.signal?.aborted === true);
    await until(() => logged.some(({ status }) => status === 'abandoned'));
    expect(logged.filter(({ level }) => level !== 20)).toEqual([]);
  });

  it('leaves the signal alone when the client got its answer', async () => {
    const { socketPath, keeper } = await start();
    await ask(socketPath, '/v1/credential');
    await ask(socketPath, '/v1/status');
    expect(keeper.asked[0]?.signal?.aborted).toBe(false);
  });
});

describe('If-None-Match', () => {
  it.each(['"7"', 'W/"7"', '*', '"6", "7"', ' "5" ,W/"7"'])(
    '%s is answered with 304 and no body',
    async (tag) => {
      const { socketPath } = await start();
      const reply = await ask(socketPath, '/v1/credential', { headers: { 'If-None-Match': tag } });
      expect(reply).toMatchObject({
        status: 304,
        body: '',
        headers: { etag: '"7"', 'cache-control': 'no-store' },
      });
    },
  );

  it('may be sent in several headers', async () => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/credential', { headers: { 'If-None-Match': ['"6"', '"7"'] } });
    expect(reply.status).toBe(304);
  });

  it.each(['"6"', '7', '"77"', 'w/"7"', ''])('%s is answered with 200', async (tag) => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/credential', { headers: { 'If-None-Match': tag } });
    expect(reply.status).toBe(200);
  });

  it('is compared with what the keeper gives after it has rotated', async () => {
    const { socketPath, keeper } = await start();
    keeper.onCredential = () => Promise.resolve(makeCredential({ generation: 8 }));
    const reply = await ask(socketPath, '/v1/credential', { headers: { 'If-None-Match': '"7"' } });
    expect(reply).toMatchObject({ status: 200, headers: { etag: '"8"' } });
  });

  it('does not hide a problem', async () => {
    const { socketPath, keeper } = await start();
    keeper.onCredential = () => Promise.reject(new AuthdError('logged_out', 'there is no login'));
    const reply = await ask(socketPath, '/v1/credential', { headers: { 'If-None-Match': '*' } });
    expect(reply.status).toBe(503);
  });
});

describe('GET /v1/token', () => {
  it('gives the access token and a newline, nothing else', async () => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/token');
    expect(reply.status).toBe(200);
    expect(reply.body).toBe('token-of-generation-7\n');
    expect(reply.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
    });
  });

  it('takes the same parameters as /v1/credential', async () => {
    const { socketPath, keeper } = await start();
    await ask(socketPath, '/v1/token?account=default&min_valid=5&wait=1');
    expect(keeper.asked).toMatchObject([{ minValidMs: 5000, waitMs: 1000 }]);
  });
});

describe('POST /v1/refresh', () => {
  it('gives the new credential', async () => {
    const { socketPath, keeper } = await start();
    keeper.onRefresh = () => Promise.resolve(makeCredential({ token: 'new', generation: 8 }));
    const reply = await ask(socketPath, '/v1/refresh?wait=3&min_valid=9', { method: 'POST' });
    expect(reply).toMatchObject({ status: 200, headers: { etag: '"8"', 'cache-control': 'no-store' } });
    expect(JSON.parse(reply.body)).toEqual({
      ...BODY,
      access_token: 'new',
      generation: 8,
      fingerprint: makeCredential({ token: 'new' }).accessToken.fingerprint,
    });
    expect(keeper.refreshed).toMatchObject([{ waitMs: 3000 }]);
    expect(keeper.asked).toEqual([]);
  });

  it('has no use for a body, whatever it is', async () => {
    const { socketPath, keeper } = await start();
    const reply = await ask(socketPath, '/v1/refresh', { method: 'POST', body: '{"not": "needed"' });
    expect(reply.status).toBe(200);
    expect(keeper.refreshed).toHaveLength(1);
  });

  it('asked too soon is a 429 that says when to come back', async () => {
    const { socketPath, keeper, clock } = await start();
    const retryAtMs = clock.now() + 3200;
    keeper.onRefresh = () => Promise.reject(new AuthdError('rate_limited', 'just refreshed', { retryAtMs }));
    const reply = await ask(socketPath, '/v1/refresh', { method: 'POST' });
    expect(reply.status).toBe(429);
    expect(reply.headers['retry-after']).toBe('4');
    expect(parseProblem(reply)).toMatchObject({ code: 'rate_limited', retry_at: '2026-11-22T12:00:03.200Z' });
  });

  it('never gives out an expired token', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.onRefresh = () => Promise.resolve(makeCredential({ expiresAtMs: clock.now() - 1 }));
    const reply = await ask(socketPath, '/v1/refresh', { method: 'POST' });
    expect(reply.status).toBe(503);
  });
});

describe('HEAD', () => {
  it.each(['/v1/credential', '/v1/token', '/v1/status', '/v1/openapi.json', '/metrics', '/healthz'])(
    '%s has the headers of GET and no body',
    async (path) => {
      const { socketPath } = await start();
      const get = await ask(socketPath, path);
      const head = await ask(socketPath, path, { method: 'HEAD' });
      expect(head.status).toBe(get.status);
      expect(head.body).toBe('');
      expect(head.headers['content-type']).toBe(get.headers['content-type']);
      expect(head.headers['cache-control']).toBe('no-store');
      // The metrics count the request before.
      if (path !== '/metrics') expect(head.headers['content-length']).toBe(get.headers['content-length']);
    },
  );

  it('/v1/events ends at once and leaves nobody listening', async () => {
    const { socketPath, keeper } = await start();
    const head = await ask(socketPath, '/v1/events', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-type': 'text/event-stream' } });
    expect(keeper.listeners).toBe(0);
  });

  it('of a problem has its status and no body', async () => {
    const { socketPath } = await start();
    const head = await ask(socketPath, '/v1/nowhere', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 404, body: '' });
  });
});
