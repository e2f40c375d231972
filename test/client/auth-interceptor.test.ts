import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Agent, FormData, fetch, interceptors, request, type Dispatcher } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AuthdError, authInterceptor, type DispatchHandler } from '../../src/index.js';
import { CREDENTIAL } from '../cli/scripted-daemon.js';
import { makeDeferred } from '../support/deferred.js';
import { ScriptedSource, startBackend, type Backend } from './requests.js';

interface Stage {
  readonly api: Backend;
  readonly source: ScriptedSource;
  readonly base: string;
  readonly dispatcher: Dispatcher;
}

async function setUp(...good: string[]): Promise<Stage> {
  const api = await startBackend(...good);
  const base = `${api.origin}/backend-api/codex`;
  const source = new ScriptedSource(base);
  return { api, source, base, dispatcher: ownAgent().compose(authInterceptor(source)) };
}

function ownAgent(): Agent {
  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  return agent;
}

describe('a request through the interceptor', () => {
  it('carries the token and the account, in place of the caller’s own', async () => {
    const { api, base, dispatcher } = await setUp('old');
    for (const headers of [
      { Authorization: 'mine', 'X-Own': 'kept' },
      ['Authorization', 'mine', 'X-Own', 'kept'],
      new Map([
        ['Authorization', 'mine'],
        ['X-Own', 'kept'],
      ]),
    ]) {
      const { statusCode, body } = await request(`${base}/a`, {
        dispatcher,
        headers,
        method: 'POST',
        body: 'x',
      });
      expect([statusCode, await body.text()]).toEqual([200, 'hello x']);
    }
    expect(api.seen).toHaveLength(3);
    for (const { authorization, accountId, headers } of api.seen) {
      expect([authorization, accountId, headers['x-own']]).toEqual([
        'Bearer old',
        CREDENTIAL.account_id,
        'kept',
      ]);
    }
  });

  it('is made once more after a 401, with the newer token', async () => {
    const { api, source, base, dispatcher } = await setUp('new');
    const { statusCode, body } = await request(`${base}/a`, { dispatcher, method: 'POST', body: 'x' });
    expect([statusCode, await body.text()]).toEqual([200, 'hello x']);
    expect(source.reports).toEqual([CREDENTIAL.fingerprint]);
    expect(api.seen.map(({ authorization, body: sent }) => [authorization, sent])).toEqual([
      ['Bearer old', 'x'],
      ['Bearer new', 'x'],
    ]);
  });

  it('is answered with the 401, body and all, if there is no newer token', async () => {
    const { api, source, base, dispatcher } = await setUp();
    source.failure = new AuthdError('rate_limited', 'too soon');
    const { statusCode, body } = await request(`${base}/a`, { dispatcher });
    expect([statusCode, await body.text()]).toEqual([401, 'no such token']);
    expect(api.seen).toHaveLength(1);
  });

  it('is answered with the second 401', async () => {
    const { api, base, dispatcher } = await setUp();
    const { statusCode, body } = await request(`${base}/a`, { dispatcher });
    expect([statusCode, await body.text()]).toEqual([401, 'no such token']);
    expect(api.seen).toHaveLength(2);
  });

  it('is not repeated if its body is a stream, but its token is reported', async () => {
    const { api, source, base, dispatcher } = await setUp('new');
    const send = (): ReturnType<typeof request> =>
      request(`${base}/a`, { dispatcher, method: 'POST', body: Readable.from(['x']) });
    const first = await send();
    expect([first.statusCode, await first.body.text()]).toEqual([401, 'no such token']);
    expect(source.reports).toHaveLength(1);
    const second = await send();
    expect([second.statusCode, await second.body.text()]).toEqual([200, 'hello x']);
    expect(api.seen).toHaveLength(2);
  });

  it('fails with the source’s error where there is no credential', async () => {
    const { api, source, base, dispatcher } = await setUp('old');
    source.current = null;
    await expect(request(`${base}/a`, { dispatcher })).rejects.toMatchObject({ code: 'logged_out' });
    expect(api.seen).toEqual([]);
  });

  it('ends when its caller gives up while the token is being renewed', async () => {
    const { source, base } = await setUp();
    const asked = makeDeferred<undefined>();
    const answer = makeDeferred<never>();
    const waiting = authInterceptor({
      current: source.current,
      get: () => source.get(),
      rejected: () => {
        asked.resolve(undefined);
        return answer.promise;
      },
    });
    const giveUp = new AbortController();
    const dispatcher = ownAgent().compose(waiting);
    const sending = request(`${base}/a`, { dispatcher, signal: giveUp.signal });
    const failing = expect(sending).rejects.toThrow('enough');
    await asked.promise;
    giveUp.abort(new Error('enough'));
    await failing;
    answer.reject(new AuthdError('unavailable', 'too late'));
  });

  it('may be one of undici’s fetch', async () => {
    const { source, api, base, dispatcher } = await setUp('new');
    expect(await (await fetch(`${base}/a`, { dispatcher })).text()).toBe('hello ');
    const form = new FormData();
    form.set('a', 'b');
    expect((await fetch(`${base}/a`, { dispatcher, method: 'POST', body: form })).status).toBe(200);
    expect(source.reports).toHaveLength(1);
    expect(api.seen.map(({ authorization }) => authorization)).toEqual([
      'Bearer old',
      'Bearer new',
      'Bearer new',
    ]);
  });
});

describe('an answer that is held back', () => {
  it('is not passed on after the request has ended otherwise', async () => {
    const source = new ScriptedSource('http://127.0.0.1/');
    const answer = makeDeferred<never>();
    const asked = makeDeferred<undefined>();
    const given = makeDeferred<DispatchHandler>();
    const told: string[] = [];
    const dispatch = authInterceptor({
      current: source.current,
      get: () => source.get(),
      rejected: () => {
        asked.resolve(undefined);
        return answer.promise;
      },
    })((_options, handler: DispatchHandler) => {
      given.resolve(handler);
      return true;
    });
    dispatch(
      { origin: 'http://127.0.0.1', path: '/', method: 'GET' },
      {
        onRequestStart: () => told.push('start'),
        onResponseStart: () => told.push('answer'),
        onResponseError: () => told.push('error'),
      },
    );
    const handler = await given.promise;
    const controller = { pause: () => undefined, resume: () => told.push('resumed'), abort: () => undefined };
    handler.onRequestStart?.(controller, {});
    handler.onResponseStart?.(controller, 401, {});
    await asked.promise;
    handler.onResponseError?.(controller, new Error('aborted'));
    answer.reject(new AuthdError('unavailable', 'too late'));
    await answer.promise.catch(() => undefined);
    await setImmediate();
    expect(told).toEqual(['start', 'error']);
  });
});

describe('the token goes nowhere else', () => {
  it('and what is no address is refused at once, not when a request is on its way', async () => {
    const { source } = await setUp('old');
    for (const allow of [['gateway.test'], ['']]) {
      expect(() => authInterceptor(source, { allow })).toThrow(
        expect.objectContaining({ code: 'bad_request' }),
      );
    }
  });

  it('not to another path or host', async () => {
    const { api, dispatcher } = await setUp('old');
    const other = await startBackend();
    for (const url of [
      `${api.origin}/`,
      `${api.origin}/backend-api/codex/../wham`,
      `${other.origin}/backend-api/codex/a`,
    ]) {
      await (await request(url, { dispatcher, headers: { authorization: 'mine' } })).body.dump();
    }
    for (const { authorization, accountId } of [...api.seen, ...other.seen]) {
      expect([authorization, accountId]).toEqual(['mine', undefined]);
    }
    expect([api.seen.length, other.seen.length]).toEqual([2, 1]);
  });

  it('not where a path climbs out of the base that a client sends as it is', async () => {
    const { api, source } = await setUp('old');
    const agent = ownAgent();
    const ended = makeDeferred<number>();
    authInterceptor(source)(agent.dispatch.bind(agent))(
      { origin: api.origin, path: '/backend-api/codex/../wham', method: 'GET' },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, status) => {
          ended.resolve(status);
        },
        onResponseError: (_controller, error) => {
          ended.reject(error);
        },
      },
    );
    expect(await ended.promise).toBe(401);
    expect(api.seen).toMatchObject([{ path: '/backend-api/codex/../wham', authorization: undefined }]);
  });

  it('not to a host that is told a whole address, as a proxy is', async () => {
    const { base, dispatcher } = await setUp('old');
    const other = await startBackend();
    const { body } = await dispatcher.request({ origin: other.origin, path: `${base}/a`, method: 'GET' });
    await body.dump();
    expect(other.seen).toMatchObject([{ path: `${base}/a`, authorization: undefined, accountId: undefined }]);
  });

  it('not to another host after a redirect, on whichever side that is followed', async () => {
    const { api, source, base } = await setUp('old');
    const other = await startBackend();
    api.redirects.set('/backend-api/codex/a', [302, `${other.origin}/open`]);
    const redirect = interceptors.redirect({ maxRedirections: 3 });
    const auth = authInterceptor(source);
    for (const dispatcher of [ownAgent().compose(auth, redirect), ownAgent().compose(redirect, auth)]) {
      const { statusCode, body } = await request(`${base}/a`, { dispatcher });
      await body.dump();
      expect(statusCode).toBe(200);
    }
    expect(api.seen.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer old']);
    expect(other.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
    expect(other.seen[0]?.accountId).toBeUndefined();
  });
});

describe('a handler of undici 6', () => {
  interface Told {
    readonly status: number;
    readonly body: string;
  }

  /** As undici 6 does: its own kind of handler comes to the interceptor, and the interceptor's to the dispatcher. */
  function dispatchAsOf6({ source, base }: Stage, path: string): Promise<Told> {
    const agent = ownAgent();
    const { promise, resolve, reject } = makeDeferred<Told>();
    const chunks = new Readable({ read: () => undefined });
    const handler: DispatchHandler = {
      onConnect: () => undefined,
      onHeaders: (status) => {
        text(chunks).then((body) => {
          resolve({ status, body });
        }, reject);
        return true;
      },
      onData: (chunk) => chunks.push(chunk),
      onComplete: () => {
        chunks.push(null);
      },
      onError: reject,
    };
    const { origin, pathname } = new URL(base + path);
    const dispatch = authInterceptor(source)(agent.dispatch.bind(agent));
    dispatch({ origin, path: pathname, method: 'GET' }, handler);
    return promise;
  }

  it('is told the answer to the second attempt', async () => {
    const stage = await setUp('new');
    expect(await dispatchAsOf6(stage, '/a')).toEqual({ status: 200, body: 'hello ' });
    expect(stage.api.seen.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  it('is told the 401, body and all, if there is no newer token', async () => {
    const stage = await setUp();
    stage.source.failure = new AuthdError('rate_limited', 'too soon');
    expect(await dispatchAsOf6(stage, '/a')).toEqual({ status: 401, body: 'no such token' });
  });

  it('is told the source’s error', async () => {
    const stage = await setUp();
    stage.source.current = null;
    await expect(dispatchAsOf6(stage, '/a')).rejects.toMatchObject({ code: 'logged_out' });
  });
});
