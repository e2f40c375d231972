import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import * as answer from '../support/scripted-answers.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const HOUR_S = 3600;

/** A daemon whose access token was issued so long ago, and a token endpoint that answers everything the same. */
async function daemonMeeting(
  scripted: answer.ScriptedAnswer,
  ageSeconds: number,
): Promise<{
  daemon: DaemonProcess;
  endpoint: StrictTokenEndpoint;
  before: string;
}> {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: HOUR_S });
  onTestFinished(() => endpoint.close());
  endpoint.otherwise = scripted;
  const sandbox = await ownSandbox();
  const refreshToken = endpoint.login().refresh_token;
  const issuedAtMs = Date.now() - ageSeconds * 1000;
  const before = chatgptFile(makeLoginTokens({ issuedAtMs, lifetimeSeconds: HOUR_S, refreshToken }));
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), before);
  await writeFile(sandbox.configFile, 'backoff_min_seconds = 600\nbackoff_max_seconds = 600\n');
  const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
  return { daemon, endpoint, before };
}

const EXPIRED = 2 * HOUR_S;
const NEARLY_EXPIRED = 55 * 60;

const KINDS: readonly [
  string,
  answer.ScriptedAnswer,
  state: 'degraded' | 'login_required',
  reason: string,
][] = [
  ['HTML', answer.html(), 'degraded', 'outcome_unknown'],
  ['HTML with 403', answer.html(403), 'degraded', 'refused'],
  ['200 {}', answer.emptyObject(), 'degraded', 'outcome_unknown'],
  ['300', answer.status(300), 'degraded', 'redirected'],
  ['302', answer.redirect(), 'degraded', 'redirected'],
  ['400 without a code', answer.status(400), 'degraded', 'refused'],
  ['400 invalid_grant', answer.error('invalid_grant', 400), 'login_required', 'refresh_token_rejected'],
  ['401', answer.status(401), 'login_required', 'refresh_token_rejected'],
  [
    '401 refresh_token_reused',
    answer.error('refresh_token_reused'),
    'login_required',
    'refresh_token_rejected',
  ],
  ['403', answer.status(403), 'degraded', 'refused'],
  ['429 with Retry-After', answer.rateLimited('900'), 'degraded', 'rate_limited'],
  ['500', answer.status(500), 'degraded', 'outcome_unknown'],
  ['503', answer.status(503), 'degraded', 'server_error'],
  ['HTML with 503', answer.html(503), 'degraded', 'outcome_unknown'],
  ['502', answer.status(502), 'degraded', 'outcome_unknown'],
  ['a reset before the body', answer.resetBeforeAnswer(), 'degraded', 'outcome_unknown'],
  ['half a body', answer.cutMidBody(), 'degraded', 'outcome_unknown'],
  ['2 MiB', answer.huge(), 'degraded', 'outcome_unknown'],
];

describe('a bad answer of the token endpoint', () => {
  it.each(KINDS)('leaves auth.json untouched and is told: %s', async (_kind, scripted, state, reason) => {
    const { daemon, endpoint, before } = await daemonMeeting(scripted, EXPIRED);
    await daemon.listen().untilState(state);
    const reply = await daemon.ask('/v1/credential?wait=0');
    expect(reply).toMatchObject({
      status: 503,
      json: {
        code: state === 'degraded' ? 'unavailable' : state,
        reason,
        hint: expect.any(String) as string,
      },
    });
    if (state === 'degraded') expect(Date.parse(String(reply.json['retry_at']))).toBeGreaterThan(Date.now());
    else expect(reply.json['retry_at']).toBeNull();
    expect(await readFile(daemon.authFile, 'utf8')).toBe(before);
    expect((await readdir(daemon.sandbox.codexHome)).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(endpoint.requests).toHaveLength(1);
    expect((await daemon.ask('/healthz')).status).toBe(503);
    expect(await runCli(daemon.sandbox, ['token', '--wait', '0'])).toMatchObject({
      code: state === 'degraded' ? 1 : 4,
      stdout: '',
    });
  });

  it.each([
    ['500', answer.status(500), 'degraded'],
    ['401', answer.status(401), 'login_required'],
    ['a reset', answer.resetBeforeAnswer(), 'degraded'],
  ] as const)('does not stop a still valid token from being served: %s', async (_kind, scripted, state) => {
    const { daemon, before } = await daemonMeeting(scripted, NEARLY_EXPIRED);
    await daemon.listen().untilState(state);
    expect(await daemon.ask('/v1/credential')).toMatchObject({ status: 200, json: { generation: 1 } });
    expect((await daemon.ask('/healthz')).status).toBe(200);
    expect(await daemon.account()).toMatchObject({
      state,
      serving: true,
      hint: expect.any(String) as string,
    });
    expect(await readFile(daemon.authFile, 'utf8')).toBe(before);
  });

  it('is waited for as long as the consumer wants, and no longer: silence', async () => {
    const { daemon, endpoint, before } = await daemonMeeting(answer.silence(), EXPIRED);
    await endpoint.request(1);
    const reply = await daemon.ask('/v1/credential?wait=0.2');
    expect(reply).toMatchObject({ status: 503, json: { code: 'unavailable', reason: 'rotation_in_flight' } });
    expect((await runCli(daemon.sandbox, ['token', '--wait', '0'])).code).toBe(5);
    endpoint.breakSilence();
    await daemon.listen().untilState('degraded');
    expect((await daemon.ask('/v1/credential?wait=0')).json).toMatchObject({ reason: 'outcome_unknown' });
    expect(await readFile(daemon.authFile, 'utf8')).toBe(before);
  });

  it('costs nothing if the tokens came whole before the connection broke', async () => {
    const { daemon } = await daemonMeeting(answer.cutAfterBody(), EXPIRED);
    expect(await daemon.ask('/v1/credential')).toMatchObject({ status: 200, json: { generation: 2 } });
    expect(await readFile(daemon.authFile, 'utf8')).toContain((await daemon.ask('/v1/token')).text.trim());
  });

  it('is no bad one for want of a new refresh token: the old one stays good', async () => {
    const { daemon, endpoint, before } = await daemonMeeting(answer.withoutRefreshToken(), EXPIRED);
    expect(await daemon.ask('/v1/credential')).toMatchObject({ status: 200, json: { generation: 2 } });
    const { refresh_token } = (JSON.parse(before) as { tokens: { refresh_token: string } }).tokens;
    expect(await readFile(daemon.authFile, 'utf8')).toContain(refresh_token);
    expect(endpoint.isAlive(refresh_token)).toBe(true);
  });

  it('is forgotten once the server is well again', async () => {
    const { daemon, endpoint } = await daemonMeeting(answer.status(503), NEARLY_EXPIRED);
    await daemon.listen().untilState('degraded');
    endpoint.otherwise = null;
    expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200, json: { generation: 2 } });
    expect(await daemon.account()).toMatchObject({
      state: 'fresh',
      counts: { own: 1, requests: 2, failures: 1 },
    });
  });
});
