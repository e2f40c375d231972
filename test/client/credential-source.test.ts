import { execFile } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openCredentialSource } from '../../src/index.js';
import {
  ACCOUNT,
  CREDENTIAL,
  event,
  hangUp,
  json,
  problem,
  silence,
  startScriptedDaemon,
} from '../cli/scripted-daemon.js';
import { makeDeferred } from '../support/deferred.js';
import {
  freezeClock,
  LOGGED_OUT,
  NEXT,
  openSource,
  secondsFromNow,
  socketPath,
  startStreams,
  told,
  until,
} from './streams.js';

describe('opening a source', () => {
  it('gives what is there, in memory', async () => {
    const { daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    expect(source.current).toEqual(CREDENTIAL);
    expect(source.current).toBe(source.current);
    expect(source.state).toEqual({ ...ACCOUNT });
    expect(source.connected).toBe(true);
    expect(await source.get()).toBe(source.current);
    expect(daemon.requests).toEqual(['GET /v1/events']);
  });

  it('succeeds where nobody is logged in, and says why there is nothing', async () => {
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': problem(503, 'logged_out', 'there is no auth.json', {
        hint: 'run `codex login`',
      }),
    });
    streams.greeting = event('state', LOGGED_OUT);
    const source = await openSource({ socket: daemon.socket });
    expect(source.current).toBeNull();
    expect(source.state).toMatchObject({ state: 'logged_out', reason: 'no_file' });
    await expect(source.get()).rejects.toMatchObject({ code: 'logged_out', hint: 'run `codex login`' });
  });

  it('fails at once where no daemon runs', async () => {
    const opening = openCredentialSource({ socket: await socketPath() });
    await expect(opening).rejects.toMatchObject({ code: 'daemon_not_running' });
  });

  it('waits for a daemon that comes up, if it is asked to', async () => {
    const socket = await socketPath();
    const opening = openSource({ socket, wait: 30 });
    await startStreams(socket);
    expect((await opening).current).toEqual(CREDENTIAL);
  });

  it.each([
    ['an account that nobody keeps', { account: 'other' }, 'unknown_account'],
    ['a wait out of range', { wait: 601 }, 'bad_request'],
  ])('fails for %s', async (_what, options, code) => {
    const { daemon } = await startStreams(await socketPath(), {
      'GET /v1/events': problem(404, 'unknown_account', 'there is no account other'),
    });
    const opening = openCredentialSource({ socket: daemon.socket, ...options });
    await expect(opening).rejects.toMatchObject({ code });
  });

  it('asks for the account that is named', async () => {
    const { daemon } = await startStreams(await socketPath());
    await openSource({ socket: daemon.socket, account: 'default' });
    expect(daemon.requests).toEqual(['GET /v1/events?account=default']);
  });

  it('gives up when its caller does', async () => {
    const asked = makeDeferred<undefined>();
    const { daemon } = await startStreams(await socketPath(), {
      'GET /v1/events': () => {
        asked.resolve(undefined);
      },
    });
    const giveUp = new AbortController();
    const opening = openCredentialSource({ socket: daemon.socket, signal: giveUp.signal });
    await asked.promise;
    giveUp.abort(new Error('enough'));
    await expect(opening).rejects.toThrow('enough');
  });
});

describe('what is current', () => {
  it('is replaced by the event of a rotation', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    streams.send(event('credential', NEXT));
    expect(await until(source, (current) => current?.generation === 9)).toEqual(NEXT);
    expect(await source.get()).toEqual(NEXT);
  });

  it('is nothing from a logout on', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    streams.send(event('state', LOGGED_OUT));
    expect(await until(source, (current) => current === null)).toBeNull();
    expect(source.state.state).toBe('logged_out');
  });

  it('is served to its end where a person has to log in', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    streams.send(
      event('state', { ...ACCOUNT, state: 'login_required', reason: 'refresh_token_rejected' }),
      told(NEXT),
    );
    expect(await until(source, (current) => current?.generation === 9)).toEqual(NEXT);
    expect(source.current).toEqual(NEXT);
  });

  it('ends a second before the token does, whatever the daemon is doing', async () => {
    freezeClock();
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = told({ expires_at: secondsFromNow(100) });
    const source = await openSource({ socket: daemon.socket });
    vi.advanceTimersByTime(98_999);
    expect(source.current).not.toBeNull();
    vi.advanceTimersByTime(1);
    expect(source.current).toBeNull();
  });

  it('is judged by the server’s clock where this machine’s is behind', async () => {
    freezeClock();
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = told({ expires_at: secondsFromNow(3700) }, { clock_offset_seconds: 3600 });
    const source = await openSource({ socket: daemon.socket });
    vi.advanceTimersByTime(98_000);
    expect(source.current).not.toBeNull();
    vi.advanceTimersByTime(1000);
    expect(source.current).toBeNull();
  });

  it('outlives a clock that is put right, in both directions', async () => {
    freezeClock();
    const { streams, daemon } = await startStreams(await socketPath());
    for (const offsetSeconds of [7200, -7200]) {
      const expires_at = secondsFromNow(offsetSeconds + 3600);
      streams.greeting = told({ expires_at }, { clock_offset_seconds: offsetSeconds });
      const source = await openSource({ socket: daemon.socket });
      vi.setSystemTime(Date.now() + offsetSeconds * 1000);
      vi.advanceTimersByTime(3_590_000);
      expect(source.current).not.toBeNull();
      vi.advanceTimersByTime(10_000);
      expect(source.current).toBeNull();
    }
  });

  it('is nothing after a sleep that outlasted it, though no timer ran', async () => {
    freezeClock();
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = told({ expires_at: secondsFromNow(3600) });
    const source = await openSource({ socket: daemon.socket });
    vi.setSystemTime(Date.now() + 3_700_000);
    expect(source.current).toBeNull();
  });

  it('never ends if the credential does not', async () => {
    freezeClock();
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = told({ expires_at: null });
    const source = await openSource({ socket: daemon.socket });
    vi.setSystemTime(Date.now() + 10 ** 12);
    expect(source.current).not.toBeNull();
    expect(await source.get({ minValid: 86_400 })).toBe(source.current);
  });
});

describe('a source that has lost its daemon', () => {
  it('goes on giving out what is valid, and comes back by itself', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    streams.greeting = told(NEXT);
    const before = source.current;
    streams.breakOff();
    expect(source.current).toBe(before);
    expect(await until(source, (current) => current?.generation === 9)).toEqual(NEXT);
    expect(source.connected).toBe(true);
  });

  it('takes what a daemon without memory says, though it counts from 1 again', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    streams.greeting = told({ ...NEXT, generation: 1 });
    streams.breakOff();
    expect(await until(source, (current) => current?.generation === 1)).toMatchObject({
      fingerprint: NEXT.fingerprint,
    });
  });

  it('lets a get wait for the next daemon', async () => {
    let isUp = false;
    const { streams, daemon } = await startStreams(await socketPath(), {
      'GET /v1/credential': (request, response) => {
        (isUp ? json(NEXT) : hangUp)(request, response);
        isUp = true;
      },
    });
    streams.greeting = told({ expires_at: secondsFromNow(30) });
    const source = await openSource({ socket: daemon.socket });
    expect(await source.get()).toEqual(NEXT);
    expect(daemon.requests.filter((request) => request.startsWith('GET /v1/credential'))).toHaveLength(2);
  });

  it('gives a get the best there is, if no daemon comes in time: for as long as that is valid', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = told({ expires_at: secondsFromNow(40) });
    const source = await openSource({ socket: daemon.socket });
    await daemon.close();
    expect(await source.get({ minValid: 60, wait: 0 })).toBe(source.current);
    expect(await source.get({ minValid: 60, wait: 1 })).toBe(source.current);
    freezeClock();
    vi.setSystemTime(Date.now() + 40_000);
    await expect(source.get({ minValid: 60, wait: 0 })).rejects.toMatchObject({ code: 'daemon_not_running' });
  });

  it('has the same object as before, if it is the same credential', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    const before = source.current;
    streams.greeting = told() + event('state', { ...ACCOUNT, detail: 'again' });
    streams.breakOff();
    while (source.state.detail !== 'again') await setImmediate();
    expect(source.current).toBe(before);
  });

  it('tells a get that waits for nothing', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = event('state', LOGGED_OUT);
    const source = await openSource({ socket: daemon.socket });
    await daemon.close();
    await expect(source.get({ wait: 0 })).rejects.toMatchObject({ code: 'daemon_not_running' });
  });
});

describe('changes', () => {
  it('begin with what there is, and skip what nobody had the time to see', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    const changes = source.changes();
    expect(await changes.next()).toMatchObject({ value: { generation: 8 } });
    for (const generation of [9, 10, 11]) streams.send(event('credential', { ...NEXT, generation }));
    await until(source, (current) => current?.generation === 11);
    expect(await changes.next()).toMatchObject({ value: { generation: 11 } });
  });

  it('tell of the end of a token', async () => {
    vi.useFakeTimers();
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { streams, daemon } = await startStreams(await socketPath());
    streams.greeting = told({ expires_at: secondsFromNow(100) });
    const source = await openSource({ socket: daemon.socket });
    const changes = source.changes();
    await changes.next();
    const next = changes.next();
    await vi.advanceTimersByTimeAsync(99_000);
    expect(await next).toEqual({ done: false, value: null });
  });

  it('end with the signal’s reason, and with the source', async () => {
    const { daemon } = await startStreams(await socketPath());
    const source = await openSource({ socket: daemon.socket });
    const giveUp = new AbortController();
    const changes = source.changes({ signal: giveUp.signal });
    const others = source.changes();
    await Promise.all([changes.next(), others.next()]);
    const waiting = [changes.next(), others.next()];
    giveUp.abort(new Error('enough'));
    await expect(waiting[0]).rejects.toThrow('enough');
    await source.close();
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
  });
});

describe('closing', () => {
  it('forgets the credential, hangs up, and tells whoever waits', async () => {
    const { streams, daemon } = await startStreams(await socketPath(), { 'GET /v1/credential': silence });
    streams.greeting = told({ expires_at: secondsFromNow(30) });
    const source = await openSource({ socket: daemon.socket });
    const failing = expect(source.get()).rejects.toMatchObject({ code: 'closed' });
    await source.close();
    await failing;
    await expect(source.get()).rejects.toMatchObject({ code: 'closed' });
    expect(source.current).toBeNull();
    expect(source.connected).toBe(false);
    await source.close();
  });

  it('happens by `await using` and by the signal, too', async () => {
    const { daemon } = await startStreams(await socketPath());
    let kept;
    {
      await using source = await openCredentialSource({ socket: daemon.socket });
      kept = source;
    }
    expect(kept.current).toBeNull();
    const end = new AbortController();
    const source = await openSource({ socket: daemon.socket, signal: end.signal });
    end.abort();
    expect(source.current).toBeNull();
  });
});

describe('a process with a source', () => {
  const INDEX = new URL('../../dist/index.js', import.meta.url).href;

  async function runScript(socket: string, script: string): Promise<string> {
    const code = `import { openCredentialSource } from ${JSON.stringify(INDEX)};
      const source = await openCredentialSource({ socket: ${JSON.stringify(socket)} });
      ${script}`;
    const args = ['--input-type=module', '--eval', code];
    return (await promisify(execFile)(process.execPath, args)).stdout;
  }

  it('ends when it has nothing else to do', async () => {
    const { daemon } = await startStreams(await socketPath());
    expect(await runScript(daemon.socket, 'console.log(source.current.generation);')).toBe('8\n');
  });

  it('goes on for as long as somebody waits for a change', async () => {
    const { streams, daemon } = await startStreams(await socketPath());
    const running = runScript(
      daemon.socket,
      'for await (const { generation } of source) { console.log(generation); if (generation === 9) break; }',
    );
    await streams.connection(1);
    streams.greeting = told(NEXT);
    streams.breakOff();
    expect(await running).toBe('8\n9\n');
  });
});

it('a daemon that says nothing of the credential is none', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const greeted = makeDeferred<undefined>();
  const daemon = await startScriptedDaemon(await socketPath(), {
    'GET /v1/events': (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(event('state', ACCOUNT), () => {
        greeted.resolve(undefined);
      });
    },
  });
  onTestFinished(daemon.close);
  const opening = openCredentialSource({ socket: daemon.socket });
  await greeted.promise;
  const failing = expect(opening).rejects.toMatchObject({ code: 'bad_answer' });
  await vi.advanceTimersByTimeAsync(4000);
  await failing;
});
