import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import {
  ACCOUNT,
  CREDENTIAL,
  event,
  json,
  problem,
  statusBody,
  type Handler,
} from '../cli/scripted-daemon.js';
import { makeDeferred } from '../support/deferred.js';
import {
  LOGGED_OUT,
  NEXT,
  openSource,
  secondsFromNow,
  socketPath,
  startStreams,
  told,
  until,
} from './streams.js';

describe('get', () => {
  it('asks the daemon only if what is in memory is too short, and remembers the answer', async () => {
    const { streams, daemon } = await startStreams(await socketPath(), { 'GET /v1/credential': json(NEXT) });
    streams.greeting = told({ expires_at: secondsFromNow(100) });
    const source = await openSource({ socket: daemon.socket });
    expect(await source.get({ minValid: 90 })).toMatchObject({ generation: 8 });
    expect(daemon.requests).toEqual(['GET /v1/events']);
    expect(await source.get({ minValid: 110, wait: 9 })).toEqual(NEXT);
    expect(source.current).toEqual(NEXT);
    expect(daemon.requests.slice(1)).toEqual([
      expect.stringMatching(/^GET \/v1\/credential\?min_valid=110&wait=[89]$/),
    ]);
  });

  it('asks once for all who ask at once, and lets each give up alone', async () => {
    const asked = makeDeferred<undefined>();
    const answers: (() => void)[] = [];
    const hold: Handler = (request, response) => {
      answers.push(() => {
        json(NEXT)(request, response);
      });
      asked.resolve(undefined);
    };
    const { streams, daemon } = await startStreams(await socketPath(), { 'GET /v1/credential': hold });
    streams.greeting = told({ expires_at: secondsFromNow(30) });
    const source = await openSource({ socket: daemon.socket });
    const giveUp = new AbortController();
    const patient = Array.from({ length: 100 }, () => source.get());
    const impatient = source.get({ signal: giveUp.signal });
    await asked.promise;
    giveUp.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    for (const answer of answers) answer();
    expect(new Set(await Promise.all(patient)).size).toBe(1);
    expect(daemon.requests.filter((request) => request.startsWith('GET /v1/credential'))).toHaveLength(1);
  });

  it('ends its request when nobody waits any more', async () => {
    const ended = makeDeferred<undefined>();
    const asked = makeDeferred<undefined>();
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': (request) => {
        request.socket.once('close', () => {
          ended.resolve(undefined);
        });
        asked.resolve(undefined);
      },
    });
    streams.greeting = event('state', LOGGED_OUT);
    const source = await openSource({ socket: daemon.socket });
    const giveUp = new AbortController();
    const getting = source.get({ signal: giveUp.signal });
    await asked.promise;
    giveUp.abort(new Error('enough'));
    await expect(getting).rejects.toThrow('enough');
    await ended.promise;
  });

  it('never lets a late answer replace what the events told since', async () => {
    const asked = makeDeferred<() => void>();
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': (request, response) => {
        asked.resolve(() => {
          json(CREDENTIAL)(request, response);
        });
      },
    });
    streams.greeting = told({ ...CREDENTIAL, expires_at: secondsFromNow(30) });
    const source = await openSource({ socket: daemon.socket });
    const getting = source.get();
    const answer = await asked.promise;
    streams.send(event('credential', NEXT));
    await until(source, (current) => current?.generation === 9);
    answer();
    expect(await getting).toEqual(NEXT);
    expect(source.current).toEqual(NEXT);
  });

  it('is content with an answer that the events told first, though it is too short', async () => {
    const expires_at = secondsFromNow(30);
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': (request, response) => {
        streams.send(event('credential', { ...NEXT, expires_at }));
        void until(source, (current) => current?.generation === 9).then(() => {
          json({ ...NEXT, expires_at })(request, response);
        });
      },
    });
    streams.greeting = told({ expires_at });
    const source = await openSource({ socket: daemon.socket });
    expect(await source.get()).toMatchObject({ generation: 9 });
    expect(daemon.requests).toHaveLength(2);
  });

  it('takes no late answer for a login after a logout', async () => {
    const asked = makeDeferred<() => void>();
    let times = 0;
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': (request, response) => {
        times += 1;
        if (times === 1) {
          asked.resolve(() => {
            json(CREDENTIAL)(request, response);
          });
        } else problem(503, 'logged_out', 'there is no auth.json')(request, response);
      },
    });
    streams.greeting = told({ ...CREDENTIAL, expires_at: secondsFromNow(30) });
    const source = await openSource({ socket: daemon.socket });
    const failing = expect(source.get()).rejects.toMatchObject({ code: 'logged_out' });
    const answer = await asked.promise;
    streams.send(event('state', LOGGED_OUT));
    await until(source, (current) => current === null);
    answer();
    await failing;
    expect(source.current).toBeNull();
  });

  it('learns the clock anew where what the daemon gives seems to have expired', async () => {
    const expires_at = secondsFromNow(-3000);
    const status = statusBody('s', [{ ...ACCOUNT, clock_offset_seconds: -3600 }]);
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': json({ ...NEXT, expires_at }),
      'GET /v1/status': json(status),
    });
    streams.greeting = event('state', LOGGED_OUT);
    const source = await openSource({ socket: daemon.socket });
    expect(await source.get()).toMatchObject({ generation: 9 });
    expect(source.current).toMatchObject({ generation: 9 });
  });

  it('gives no expired credential, though the daemon insists', async () => {
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': json({ ...NEXT, expires_at: secondsFromNow(-10) }),
    });
    streams.greeting = event('state', LOGGED_OUT);
    const source = await openSource({ socket: daemon.socket });
    await expect(source.get({ wait: 0 })).rejects.toMatchObject({ code: 'unavailable' });
    expect(source.current).toBeNull();
  });

  it.each([{ minValid: -1 }, { minValid: 0.5 }, { wait: 601 }])('refuses %j', async (options) => {
    const { daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    await expect(source.get(options)).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('rejected', () => {
  const withReports = (reports: string[], handler = json(NEXT)): { 'POST /v1/rejected': Handler } => ({
    'POST /v1/rejected': (request, response) => {
      void text(request).then((body) => {
        reports.push(body);
        handler(request, response);
      });
    },
  });

  it('reports the current token, by itself or by its fingerprint, and gives the newer one', async () => {
    for (const token of [CREDENTIAL.access_token, CREDENTIAL.fingerprint]) {
      const reports: string[] = [];
      const { daemon } = await startStreams(await socketPath(), withReports(reports));
      const source = await openSource({ socket: daemon.socket });
      expect(await source.rejected(token)).toEqual(NEXT);
      expect(source.current).toEqual(NEXT);
      expect(reports).toEqual([`{"fingerprint":"${CREDENTIAL.fingerprint}"}`]);
    }
  });

  it('reports a token once, however many say so', async () => {
    const reports: string[] = [];
    const { daemon } = await startStreams(await socketPath(), withReports(reports));
    const source = await openSource({ socket: daemon.socket });
    const { fingerprint } = CREDENTIAL;
    const given = await Promise.all(Array.from({ length: 100 }, () => source.rejected(fingerprint)));
    expect(new Set(given).size).toBe(1);
    expect(reports).toHaveLength(1);
  });

  it('needs no daemon where there is another one already', async () => {
    const { daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    expect(await source.rejected('an.older.token')).toBe(source.current);
    expect(daemon.requests).toEqual(['GET /v1/events']);
  });

  it('passes on why there is none', async () => {
    const refusal = problem(429, 'rate_limited', 'too soon', { retry_at: '2199-01-01T00:00:00.000Z' });
    const { daemon } = await startStreams(await socketPath(), withReports([], refusal));
    const source = await openSource({ socket: daemon.socket });
    await expect(source.rejected(CREDENTIAL.fingerprint)).rejects.toMatchObject({
      code: 'rate_limited',
      retryAtMs: Date.parse('2199-01-01T00:00:00.000Z'),
    });
    await expect(source.rejected('')).rejects.toMatchObject({ code: 'bad_request' });
  });
});
