import { describe, expect, it } from 'vitest';
import { AuthdError, type ProblemCode } from '../../src/errors.js';
import type { ProblemBody } from '../../src/protocol.js';
import { problemAnswer } from '../../src/server/problem.js';
import { ask, parseProblem, start } from './harness.js';

describe('what the keeper refuses', () => {
  const refusals: [ProblemCode, number][] = [
    ['login_required', 503],
    ['logged_out', 503],
    ['unavailable', 503],
    ['corrupt', 503],
    ['unsupported', 503],
    ['rate_limited', 429],
  ];

  it.each(refusals)('%s is a problem with status %i', async (code, status) => {
    const { socketPath, keeper, clock } = await start();
    const refusal = new AuthdError(code, 'what happened', {
      hint: 'what to do',
      reason: 'refresh_token_rejected',
      retryAtMs: clock.now() + 90_000,
    });
    keeper.onCredential = () => Promise.reject(refusal);
    keeper.onRefresh = () => Promise.reject(refusal);
    for (const [method, path] of [
      ['GET', '/v1/credential'],
      ['GET', '/v1/token'],
      ['POST', '/v1/refresh'],
    ] as const) {
      const reply = await ask(socketPath, path, { method });
      expect(reply.status).toBe(status);
      expect(reply.headers).toMatchObject({
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        'retry-after': '90',
      });
      const expected: ProblemBody = {
        type: `urn:codex-authd:problem:${code}`,
        title: expect.stringMatching(/[^.]$/) as string,
        status,
        code,
        detail: 'what happened',
        hint: 'what to do',
        retry_at: '2026-11-22T12:01:30.000Z',
        reason: 'refresh_token_rejected',
      };
      expect(parseProblem(reply)).toEqual(expected);
    }
  });

  it('without a time to come back has none, in the header neither', async () => {
    const { socketPath, keeper } = await start();
    keeper.onCredential = () => Promise.reject(new AuthdError('logged_out', 'there is no login'));
    const reply = await ask(socketPath, '/v1/credential');
    expect(reply.headers['retry-after']).toBeUndefined();
    expect(parseProblem(reply)).toMatchObject({ hint: null, retry_at: null, reason: null });
  });

  it('with a time that has passed asks for a second of patience', () => {
    const answer = problemAnswer(new AuthdError('unavailable', 'x', { retryAtMs: 1000 }), 5000);
    expect(answer.headers['Retry-After']).toBe('1');
  });

  it('drops a reason that is none of ours', () => {
    const answer = problemAnswer(new AuthdError('corrupt', 'x', { reason: 'toString' }), 0);
    expect(JSON.parse(answer.body)).toMatchObject({ reason: null });
  });
});

describe('a failure of the daemon itself', () => {
  const failures: [string, unknown][] = [
    ['an error that nobody expected', new TypeError('secret detail')],
    ['an error that is none of the contract', new AuthdError('storage', 'secret detail')],
    ['something that is no error', 'secret detail'],
  ];

  it.each(failures)(
    '%s is a 500 without details, is logged, and the server goes on',
    async (_name, failure) => {
      const { socketPath, keeper, logged } = await start();
      keeper.onCredential = () => {
        throw failure;
      };
      const reply = await ask(socketPath, '/v1/credential');
      expect(reply.status).toBe(500);
      expect(parseProblem(reply).code).toBe('internal');
      expect(reply.body).not.toContain('secret detail');
      expect(logged).toContainEqual(expect.objectContaining({ level: 50, error: 'secret detail' }));
      expect((await ask(socketPath, '/v1/token', { method: 'HEAD' })).status).toBe(500);
      expect((await ask(socketPath, '/v1/status')).status).toBe(200);
    },
  );

  it('while an event stream begins ends that stream only', async () => {
    const { socketPath, keeper, logged } = await start();
    const snapshot = keeper.snapshot();
    keeper.snapshot = () => {
      throw new Error('no snapshot');
    };
    await expect(ask(socketPath, '/v1/events')).rejects.toThrow();
    expect(logged).toContainEqual(expect.objectContaining({ level: 50, error: 'no snapshot' }));
    keeper.snapshot = () => snapshot;
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
  });
});

describe('a wrong request', () => {
  const badQueries: [string, string][] = [
    ['/v1/credential?min_valid=-1', 'min_valid'],
    ['/v1/credential?min_valid=1e3', 'min_valid'],
    ['/v1/credential?min_valid=', 'min_valid'],
    ['/v1/credential?min_valid=0x10', 'min_valid'],
    ['/v1/credential?min_valid=+5', 'min_valid'],
    ['/v1/credential?min_valid=5.', 'min_valid'],
    ['/v1/credential?min_valid=Infinity', 'min_valid'],
    ['/v1/credential?min_valid=2592000.1', 'min_valid'],
    [`/v1/credential?min_valid=${'9'.repeat(400)}`, 'min_valid'],
    ['/v1/token?wait=600.001', 'wait'],
    ['/v1/token?wait=%00', 'wait'],
    ['/v1/token?wait=%zz', 'wait'],
    ['/v1/token?wait=1&wait=1', 'wait'],
    ['/v1/token?minvalid=5', 'minvalid'],
    ['/v1/token?Wait=5', 'Wait'],
    ['/v1/token?account=', 'account'],
    ['/v1/token?account=a&account=b', 'account'],
    ['/v1/token?=', 'unknown parameter'],
    ['/v1/events?min_valid=5', 'min_valid'],
    ['/v1/status?account=default', 'account'],
    ['/v1/openapi.json?x=1', 'x'],
    ['/metrics?x', 'x'],
    ['/healthz?wait=1', 'wait'],
  ];

  it.each(badQueries)('%s is a 400 that names %s', async (path, named) => {
    const { socketPath, keeper } = await start();
    const reply = await ask(socketPath, path);
    expect(reply.status).toBe(400);
    expect(reply.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      server: 'codex-authd/1.2.3',
    });
    expect(parseProblem(reply).code).toBe('bad_request');
    expect(parseProblem(reply).detail).toContain(named);
    expect(reply.body.length).toBeLessThan(500);
    expect(keeper.asked).toEqual([]);
  });

  it('an empty query is no query', async () => {
    const { socketPath } = await start();
    expect((await ask(socketPath, '/v1/status?')).status).toBe(200);
    expect((await ask(socketPath, '/v1/status?&&')).status).toBe(200);
  });

  it.each(['/v1/credential', '/v1/token', '/v1/events', '/healthz'])(
    '%s for an account that is not kept is a 404 that lists those that are',
    async (path) => {
      const { socketPath } = await start();
      const reply = await ask(socketPath, `${path}?account=nobody`);
      expect(reply.status).toBe(404);
      expect(parseProblem(reply)).toMatchObject({
        code: 'unknown_account',
        detail: 'the daemon keeps no account named "nobody"',
        hint: 'it keeps: "default"',
      });
    },
  );

  it('an account with the name of a property of objects is unknown', async () => {
    const { socketPath, keepers } = await start();
    keepers.clear();
    const reply = await ask(socketPath, '/v1/token?account=__proto__');
    expect(reply.status).toBe(404);
    expect(parseProblem(reply).hint).toBe('it keeps none at all');
  });

  it.each([
    '/',
    '/v1',
    '/v1/',
    '/v1/credential/',
    '/V1/credential',
    '/v1/%63redential',
    '/v1/../v1/token',
    '/v1/rejected/',
    '/v1/published/',
    '//',
    '//v1/token',
    '/constructor',
    '/%',
    '/%zz?%zz',
  ])('%s is a path that does not exist', async (path) => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, path);
    expect(reply.status).toBe(404);
    expect(parseProblem(reply).code).toBe('not_found');
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  const wrongMethods: [string, string, string][] = [
    ['POST', '/v1/credential', 'GET, HEAD'],
    ['DELETE', '/v1/token', 'GET, HEAD'],
    ['GET', '/v1/refresh', 'POST'],
    ['HEAD', '/v1/refresh', 'POST'],
    ['OPTIONS', '/v1/events', 'GET, HEAD'],
    ['PATCH', '/v1/status', 'GET, HEAD'],
    ['PUT', '/v1/openapi.json', 'GET, HEAD'],
    ['POST', '/metrics', 'GET, HEAD'],
    ['PROPFIND', '/healthz', 'GET, HEAD'],
  ];

  it.each(wrongMethods)('%s %s is a 405 that allows %s', async (method, path, allow) => {
    const { socketPath, keeper } = await start();
    const reply = await ask(socketPath, path, { method });
    expect(reply.status).toBe(405);
    expect(reply.headers).toMatchObject({ allow, 'cache-control': 'no-store' });
    if (method !== 'HEAD') expect(parseProblem(reply).code).toBe('method_not_allowed');
    expect(keeper.refreshed).toEqual([]);
  });

  it.each(['http://localhost', 'null', ''])('with the Origin "%s" is refused', async (origin) => {
    const { socketPath, keeper } = await start();
    const reply = await ask(socketPath, '/v1/token', { headers: { Origin: origin } });
    expect(reply.status).toBe(400);
    expect(parseProblem(reply).detail).toContain('Origin');
    expect(keeper.asked).toEqual([]);
  });

  it.each(['example.com', 'localhost:80', 'localhost.', '127.0.0.1', ' ', 'localhost, localhost'])(
    'with the Host "%s" is refused',
    async (host) => {
      const { socketPath, keeper } = await start();
      const reply = await ask(socketPath, '/v1/token', { headers: { Host: host } });
      expect(reply.status).toBe(400);
      expect(parseProblem(reply).detail).toContain('Host');
      expect(keeper.asked).toEqual([]);
    },
  );

  it('with a Host in capitals is none', async () => {
    const { socketPath } = await start();
    expect((await ask(socketPath, '/v1/token', { headers: { Host: 'LocalHost' } })).status).toBe(200);
  });
});

describe('the log', () => {
  it('has one debug line per request, with no query and no token', async () => {
    const { socketPath, logged } = await start();
    await ask(socketPath, '/v1/token?min_valid=5');
    await ask(socketPath, '/v1/token-of-generation-7?token-of-generation-7');
    expect(logged).toMatchObject([
      { level: 20, method: 'GET', path: '/v1/token', status: 200, ms: expect.any(Number) as number },
      { level: 20, method: 'GET', path: 'none', status: 404 },
    ]);
    expect(JSON.stringify(logged)).not.toContain('token-of-generation-7');
    expect(JSON.stringify(logged)).not.toContain('min_valid');
  });
});
