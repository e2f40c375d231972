import { Readable } from 'node:stream';
import type * as undici from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AuthdError, authInterceptor } from '../../src/index.js';
import { CREDENTIAL } from '../cli/scripted-daemon.js';
import { makeDeferred } from '../support/deferred.js';
import { ScriptedSource, startBackend, type Backend } from './requests.js';

/** What of undici the interceptor is tested with: the same in each of its versions. */
export type Undici = Pick<
  typeof undici,
  'Agent' | 'FormData' | 'Pool' | 'fetch' | 'interceptors' | 'request'
>;

type Composed = ReturnType<InstanceType<Undici['Agent']>['compose']>;

interface Stage {
  readonly api: Backend;
  readonly source: ScriptedSource;
  readonly base: string;
  readonly dispatcher: Composed;
}

/** What the interceptor does in a given undici. */
export function describeInterceptor({ Agent, FormData, Pool, fetch, interceptors, request }: Undici): void {
  async function setUp(...good: string[]): Promise<Stage> {
    const api = await startBackend(...good);
    const base = `${api.origin}/backend-api/codex`;
    const source = new ScriptedSource(base);
    return { api, source, base, dispatcher: ownAgent().compose(authInterceptor(source)) };
  }

  function ownAgent(): InstanceType<Undici['Agent']> {
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

    it('through a pool names its origin, or is told that it must', async () => {
      const { api, source } = await setUp('old');
      const pool = new Pool(api.origin);
      onTestFinished(() => pool.destroy());
      const dispatcher = pool.compose(authInterceptor(source));
      const path = '/backend-api/codex/a';
      const named = await dispatcher.request({ origin: api.origin, path, method: 'GET' });
      expect([named.statusCode, await named.body.text()]).toEqual([200, 'hello ']);
      const unnamed = await dispatcher.request({ path, method: 'GET' }).catch((error: unknown) => error);
      // undici 8 fills it in.
      if (unnamed instanceof Error) expect(unnamed).toMatchObject({ code: 'bad_request' });
      else expect(unnamed).toMatchObject({ statusCode: 200 });
      expect(api.seen.map(({ authorization }) => authorization)).not.toContain(undefined);
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

  describe('the token goes nowhere else', () => {
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
      const { api, dispatcher } = await setUp('old');
      const path = '/backend-api/codex/../wham';
      const { statusCode, body } = await dispatcher.request({ origin: api.origin, path, method: 'GET' });
      await body.dump();
      expect(statusCode).toBe(401);
      expect(api.seen).toMatchObject([{ path, authorization: undefined }]);
    });

    it('not to a host that is told a whole address, as a proxy is', async () => {
      const { base, dispatcher } = await setUp('old');
      const other = await startBackend();
      const path = `${base}/a`;
      const { body } = await dispatcher.request({ origin: other.origin, path, method: 'GET' });
      await body.dump();
      expect(other.seen).toMatchObject([{ path, authorization: undefined, accountId: undefined }]);
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
}
