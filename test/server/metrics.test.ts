import { describe, expect, it } from 'vitest';
import { REASONS } from '../../src/core/reasons.js';
import { readEvents } from './event-reader.js';
import { ask, dial, start, until, type RawConnection } from './harness.js';
import { createScriptedKeeper, makeCredential, makeState } from './scripted-keeper.js';

describe('GET /metrics', () => {
  it('is Prometheus text with a line for each value of each account', async () => {
    const { socketPath, keeper, keepers } = await start();
    keeper.set({
      counts: { own: 3, adopted: 2, requests: 5, failures: 1, rejections: 4 },
      clockOffsetMs: 12_500,
    });
    const work = createScriptedKeeper('work "x"');
    work.set({ state: makeState('no_file'), credential: null, login: null, nextRotationAtMs: null });
    keepers.set(work.account, work);
    const reply = await ask(socketPath, '/metrics');
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' },
    });
    expect(readSeries(reply.body)).toEqual({
      'codex_authd_info{version="1.2.3"}': 1,
      ...states('default', 'fresh'),
      ...states('work \\"x\\"', 'logged_out'),
      'codex_authd_credential_expiry_timestamp_seconds{account="default"}':
        Date.parse('2026-12-02T11:00:00Z') / 1000,
      'codex_authd_next_rotation_timestamp_seconds{account="default"}':
        Date.parse('2026-11-29T23:00:00Z') / 1000,
      'codex_authd_generation{account="default"}': 7,
      'codex_authd_clock_offset_seconds{account="default"}': 12.5,
      'codex_authd_clock_offset_seconds{account="work \\"x\\""}': 0,
      'codex_authd_token_requests_total{account="default"}': 5,
      'codex_authd_token_requests_total{account="work \\"x\\""}': 0,
      'codex_authd_rotations_total{account="default",by="own"}': 3,
      'codex_authd_rotations_total{account="default",by="other"}': 2,
      'codex_authd_rotations_total{account="work \\"x\\"",by="own"}': 0,
      'codex_authd_rotations_total{account="work \\"x\\"",by="other"}': 0,
      'codex_authd_failures_total{account="default"}': 1,
      'codex_authd_failures_total{account="work \\"x\\""}': 0,
      'codex_authd_rejections_total{account="default"}': 4,
      'codex_authd_rejections_total{account="work \\"x\\""}': 0,
      // This very scrape.
      codex_authd_requests_in_flight: 1,
      codex_authd_event_streams: 0,
      process_start_time_seconds: Date.parse('2026-11-22T11:00:00Z') / 1000,
    });
  });

  it('reads every value anew, and forgets accounts that are gone', async () => {
    const { socketPath, keeper, keepers } = await start();
    await ask(socketPath, '/metrics');
    keeper.set({ counts: { own: 1, adopted: 0, requests: 1, failures: 0, rejections: 0 } });
    await ask(socketPath, '/metrics');
    const twice = readSeries((await ask(socketPath, '/metrics')).body);
    expect(twice['codex_authd_rotations_total{account="default",by="own"}']).toBe(1);
    keepers.clear();
    const gone = await ask(socketPath, '/metrics');
    expect(gone.body).not.toContain('account=');
  });

  it('counts answers by route and status, and never by what a client made up', async () => {
    const { socketPath } = await start();
    await ask(socketPath, '/v1/credential');
    await ask(socketPath, '/v1/credential');
    await ask(socketPath, '/v1/credential', { headers: { 'If-None-Match': '*' } });
    await ask(socketPath, '/v1/credential?account=made-up');
    await ask(socketPath, '/v1/credential', { method: 'PUT' });
    await ask(socketPath, '/v1/made-up');
    await ask(socketPath, '/v1/status', { headers: { Origin: 'made-up' } });
    const { body } = await ask(socketPath, '/metrics');
    expect(readSeries(body)).toMatchObject({
      'codex_authd_http_requests_total{route="/v1/credential",status="200"}': 2,
      'codex_authd_http_requests_total{route="/v1/credential",status="304"}': 1,
      'codex_authd_http_requests_total{route="/v1/credential",status="404"}': 1,
      'codex_authd_http_requests_total{route="/v1/credential",status="405"}': 1,
      'codex_authd_http_requests_total{route="none",status="404"}': 1,
      'codex_authd_http_requests_total{route="none",status="400"}': 1,
    });
    expect(body).not.toContain('made-up');
  });

  it('counts the requests in flight, from when they are received until their answers are finished', async () => {
    const { socketPath, keeper } = await start();
    const others = async (): Promise<number> => {
      const { body } = await ask(socketPath, '/metrics');
      return (readSeries(body)['codex_authd_requests_in_flight'] ?? NaN) - 1;
    };
    let rotated: () => void = () => undefined;
    const rotation = new Promise<void>((resolve) => (rotated = resolve));
    keeper.onCredential = async () => {
      await rotation;
      return makeCredential();
    };
    // Neither half a head nor half a body is a request.
    await sendRaw(socketPath, 'GET /v1/token HTTP/1.1\r\nHost: loc');
    await sendRaw(socketPath, 'POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx');
    const waiting = Array.from({ length: 100 }, () => ask(socketPath, '/v1/token'));
    const leaving = await sendRaw(socketPath, 'GET /v1/token HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => keeper.asked.length === 101);
    expect(await others()).toBe(101);
    leaving.socket.destroy();
    await until(() => keeper.asked.some(({ signal }) => signal?.aborted === true));
    expect(await others()).toBe(100);
    rotated();
    await Promise.all(waiting);
    expect(await others()).toBe(0);
  });

  it('counts open event streams', async () => {
    const { socketPath, keeper } = await start();
    const streams = async (): Promise<number | undefined> =>
      readSeries((await ask(socketPath, '/metrics')).body)['codex_authd_event_streams'];
    const reader = await readEvents(socketPath);
    await reader.received(2);
    expect(await streams()).toBe(1);
    reader.response.destroy();
    await until(() => keeper.listeners === 0);
    expect(await streams()).toBe(0);
  });

  it('holds neither token nor fingerprint', async () => {
    const { socketPath } = await start();
    const { body } = await ask(socketPath, '/metrics');
    const { accessToken } = makeCredential();
    expect(body).not.toContain(accessToken.reveal());
    expect(body).not.toContain(accessToken.fingerprint);
  });

  it('is the registry of one server, not of the process', async () => {
    const [one, other] = [await start(), await start({ version: '9.9.9' })];
    expect((await ask(one.socketPath, '/metrics')).body).not.toContain('9.9.9');
    expect((await ask(other.socketPath, '/metrics')).body).not.toContain('1.2.3');
  });
});

async function sendRaw(socketPath: string, bytes: string): Promise<RawConnection> {
  const connection = await dial(socketPath);
  connection.socket.write(bytes);
  return connection;
}

function states(account: string, state: string): Record<string, number> {
  const names = new Set(Object.values(REASONS).map((reason) => reason.state));
  return Object.fromEntries(
    [...names].map((name) => [
      `codex_authd_state{account="${account}",state="${name}"}`,
      name === state ? 1 : 0,
    ]),
  );
}

/** Every series with its value; each metric must say what it is and of which type. */
function readSeries(text: string): Record<string, number> {
  const series: Record<string, number> = {};
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
    if (type?.[1] !== undefined && type[2] !== undefined) types.set(type[1], type[2]);
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labels, value] = /^(\w+)(\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`no series: ${line}`);
    expect(types.get(name)).toBe(name.endsWith('_total') ? 'counter' : 'gauge');
    series[`${name}${labels ?? ''}`] = Number(value);
  }
  return series;
}
