import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import * as undici from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AuthdError, authInterceptor, type DispatchHandler } from '../../src/index.js';
import { makeDeferred } from '../support/deferred.js';
import { describeInterceptor } from './interceptor-contract.js';
import { ScriptedSource, startBackend, type Backend } from './requests.js';

describeInterceptor(undici);

it('what is no address in `allow` is refused at once, not when a request is on its way', () => {
  const source = new ScriptedSource('http://127.0.0.1/');
  for (const allow of [['gateway.test'], ['']]) {
    expect(() => authInterceptor(source, { allow })).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    );
  }
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

it('a handler of undici 8 is told what was sent', async () => {
  const given = makeDeferred<DispatchHandler>();
  const dispatch = authInterceptor(new ScriptedSource('http://127.0.0.1/'))((
    _options,
    handler: DispatchHandler,
  ) => {
    given.resolve(handler);
    return true;
  });
  const told: unknown[] = [];
  dispatch(
    { origin: 'http://127.0.0.1', path: '/', method: 'POST' },
    {
      onRequestStart: () => undefined,
      onBodySent: (...sent) => told.push(...sent),
      onRequestSent: () => told.push('sent'),
    },
  );
  const handler = await given.promise;
  handler.onBodySent?.(Buffer.from('x'));
  handler.onRequestSent?.();
  expect(told).toEqual([Buffer.from('x'), 'sent']);
});

describe('a handler of undici 6', () => {
  interface Stage {
    readonly api: Backend;
    readonly source: ScriptedSource;
    readonly base: string;
  }

  async function setUp(...good: string[]): Promise<Stage> {
    const api = await startBackend(...good);
    const base = `${api.origin}/backend-api/codex`;
    return { api, source: new ScriptedSource(base), base };
  }

  interface Told {
    readonly status: number;
    readonly body: string;
  }

  /** As undici 6 does: its own kind of handler comes to the interceptor, and the interceptor's to the dispatcher. */
  function dispatchAsOf6({ source, base }: Stage, path: string): Promise<Told> {
    const agent = new undici.Agent();
    onTestFinished(() => agent.destroy());
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
