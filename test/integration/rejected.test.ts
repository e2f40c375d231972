import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AuthdError, readCredential, reportRejected, type CredentialBody } from '../../src/index.js';
import { runCli, type CliEnd } from '../cli/run-cli.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { error, silence, status, type ScriptedAnswer } from '../support/scripted-answers.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

/** What Codex grants its command (facts 4.2). */
const CODEX_PATIENCE_MS = 5000;

interface Stage {
  readonly endpoint: StrictTokenEndpoint;
  readonly daemon: DaemonProcess;
  readonly socket: string;
  /** `codex-authd token --codex`, by this process, and how long it took. */
  readonly codexToken: (...args: string[]) => Promise<CliEnd & { durationMs: number }>;
}

/** A daemon with a login that is good for an hour, unless another one is given. */
async function setUp({
  login,
  config = '',
  otherwise = null,
}: {
  login?: LoginTokens;
  config?: string;
  otherwise?: ScriptedAnswer | null;
} = {}): Promise<Stage> {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
  onTestFinished(() => endpoint.close());
  endpoint.otherwise = otherwise;
  const sandbox = await ownSandbox();
  await mkdir(dirname(sandbox.configFile), { recursive: true });
  await writeFile(sandbox.configFile, config);
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(login ?? endpoint.login()));
  const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
  return {
    endpoint,
    daemon,
    socket: daemon.socket,
    async codexToken(...args) {
      const startedMs = performance.now();
      const end = await runCli(sandbox, ['token', '--codex', ...args]);
      return { ...end, durationMs: performance.now() - startedMs };
    },
  };
}

function expiredLogin(): LoginTokens {
  return makeLoginTokens({ issuedAtMs: Date.now() - 7_200_000, lifetimeSeconds: 3600 });
}

async function failureOf(promise: Promise<unknown>): Promise<AuthdError> {
  const failure = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (failure instanceof AuthdError) return failure;
  throw new Error(`this is no failure: ${String(failure)}`);
}

describe('a token that the server has ended early', () => {
  it('is replaced as soon as its consumer says so', async () => {
    const { endpoint, daemon, socket } = await setUp();
    const { fingerprint } = await readCredential({ socket });
    const given = await reportRejected({ socket, fingerprint });
    expect(given).toMatchObject({ generation: 2 });
    expect(endpoint.verifyAccessToken(given.access_token, Date.now())).toBe(true);
    expect(await readCredential({ socket })).toEqual(given);
    expect(endpoint.requests).toHaveLength(1);
    expect((await daemon.account()).counts).toMatchObject({ own: 1, rejections: 1 });
    const { text } = await daemon.ask('/metrics');
    expect(text).toContain('codex_authd_rejections_total{account="default"} 1\n');
    await daemon.logged('a consumer reports that the access token was rejected');
  });

  it('is replaced by one request when a hundred consumers say so at once', async () => {
    const { endpoint, socket } = await setUp();
    const { fingerprint } = await readCredential({ socket });
    const gate = endpoint.holdNext();
    const reports = Array.from({ length: 100 }, () => reportRejected({ socket, fingerprint }));
    await gate.arrived;
    expect(await readCredential({ socket })).toMatchObject({ fingerprint });
    gate.open();
    const given = await Promise.all(reports);
    expect(new Set(given.map((each) => each.access_token)).size).toBe(1);
    expect(given[0]).toMatchObject({ generation: 2 });
    expect(endpoint.requests).toHaveLength(1);
  });

  it('ends in the message to log in again if the login is dead', async () => {
    const { endpoint, socket } = await setUp();
    const { fingerprint } = await readCredential({ socket });
    endpoint.answerNext(error('refresh_token_invalidated'));
    for (let times = 0; times < 3; times += 1) {
      expect(await failureOf(reportRejected({ socket, fingerprint }))).toMatchObject({
        code: 'login_required',
        reason: 'refresh_token_rejected',
        hint: 'run `codex login`',
      });
    }
    expect(endpoint.requests).toHaveLength(1);
    expect(await readCredential({ socket })).toMatchObject({ fingerprint });
  });

  it('is not asked about at all if the report is of an older token', async () => {
    const { endpoint, socket } = await setUp();
    const given = await reportRejected({ socket, fingerprint: '0123456789ab' });
    expect(given).toMatchObject({ generation: 1 });
    expect(endpoint.requests).toEqual([]);
  });

  it('is told from a report that is none, which the library does not even send', async () => {
    const failure = await failureOf(reportRejected({ socket: '/nowhere', fingerprint: 'eyJ.secret' }));
    expect(failure).toMatchObject({ code: 'bad_request' });
    expect(failure.message + String(failure.hint)).not.toContain('secret');
  });
});

describe('a consumer that reports each new token, with nothing wrong about it', () => {
  it('drives the token endpoint once in each interval, and is told when to come again', async () => {
    const { endpoint, socket } = await setUp({ config: 'rejection_interval_seconds = 2' });
    let { fingerprint }: CredentialBody = await readCredential({ socket });
    const refusals: AuthdError[] = [];
    const startedMs = Date.now();
    while (endpoint.requests.length < 3) {
      try {
        ({ fingerprint } = await reportRejected({ socket, fingerprint, wait: 0 }));
      } catch (failure) {
        if (!(failure instanceof AuthdError)) throw failure;
        if (failure.code === 'rate_limited') refusals.push(failure);
        ({ fingerprint } = await readCredential({ socket }));
      }
    }
    for (const [index, { atMs }] of endpoint.requests.entries()) {
      // From the first report on: a request takes its time on its way. The two clocks count whole milliseconds.
      expect(atMs - startedMs).toBeGreaterThanOrEqual(index * 2000 - 2);
    }
    expect(refusals.length).toBeGreaterThan(3);
    expect(refusals.every(({ retryAtMs }) => retryAtMs !== undefined)).toBe(true);
    expect(endpoint.sentTwice()).toEqual([]);
  }, 20_000);
});

describe('token --codex', () => {
  it('gives another token to a process that comes back more often than Codex does at its start', async () => {
    const { endpoint, codexToken } = await setUp();
    const [first] = [await codexToken(), await codexToken()];
    const second = await codexToken();
    const third = await codexToken('--account', 'default');
    expect([first.code, second.code, third.code]).toEqual([0, 0, 0]);
    expect(endpoint.requests).toHaveLength(1);
    expect(second.stdout).not.toBe(first.stdout);
    // One more within the same minute is given the same again: there is no other.
    expect(third.stdout).toBe(second.stdout);
  });

  it('without --codex gives everybody the same, however often', async () => {
    const { endpoint, daemon } = await setUp();
    const outputs = new Set<string>();
    for (let times = 0; times < 3; times += 1) outputs.add((await runCli(daemon.sandbox, ['token'])).stdout);
    expect(outputs.size).toBe(1);
    expect(endpoint.requests).toEqual([]);
  });

  it('prints the token that it has if no other one comes in time, before Codex loses patience', async () => {
    const { endpoint, codexToken } = await setUp();
    const [first] = [await codexToken(), await codexToken()];
    endpoint.answerNext(silence());
    const second = await codexToken();
    expect(second).toMatchObject({ code: 0, stdout: first.stdout });
    expect(second.durationMs).toBeLessThan(CODEX_PATIENCE_MS);
    expect(endpoint.requests).toHaveLength(1);
    endpoint.breakSilence();
  }, 15_000);

  it('prints the token that it has if the token endpoint fails', async () => {
    const { endpoint, codexToken } = await setUp();
    const [first] = [await codexToken(), await codexToken()];
    endpoint.otherwise = status(503, { 'Retry-After': '60' });
    expect(await codexToken()).toMatchObject({ code: 0, stdout: first.stdout });
  });

  it('prints nothing rather than an expired token, before Codex loses patience', async () => {
    const { endpoint, codexToken } = await setUp({ login: expiredLogin(), otherwise: silence('nothing') });
    const { code, stdout, durationMs } = await codexToken('--wait', '25');
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(durationMs).toBeLessThan(CODEX_PATIENCE_MS);
    endpoint.breakSilence();
  }, 15_000);

  it('waits for a rotation in flight', async () => {
    const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const gate = endpoint.holdNext();
    const { refresh_token } = endpoint.login();
    const login = { ...expiredLogin(), refresh_token };
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(login));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    const asked = runCli(sandbox, ['token', '--codex']);
    const inFlight = async (): Promise<number> => {
      const { text } = await daemon.ask('/metrics');
      return Number(/^codex_authd_requests_in_flight (\d+)$/m.exec(text)?.[1]) - 1;
    };
    while ((await inFlight()) < 1);
    gate.open();
    const { code, stdout } = await asked;
    expect(code).toBe(0);
    expect(endpoint.verifyAccessToken(stdout.trim(), Date.now())).toBe(true);
    expect(endpoint.requests).toHaveLength(1);
  });
});
