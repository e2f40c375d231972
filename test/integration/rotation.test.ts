import { chmod, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const HOUR_S = 3600;

async function startEndpoint(lifetimeSeconds: number): Promise<StrictTokenEndpoint> {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds });
  onTestFinished(() => endpoint.close());
  return endpoint;
}

/** A login of this endpoint's whose access token has expired. */
function expired(endpoint: StrictTokenEndpoint): LoginTokens {
  const { refresh_token } = endpoint.login();
  return makeLoginTokens({
    issuedAtMs: Date.now() - 2 * HOUR_S * 1000,
    lifetimeSeconds: HOUR_S,
    refreshToken: refresh_token,
  });
}

/** How many requests the daemon has received and not answered yet, beside the one that asks. */
async function requestsInFlight(daemon: DaemonProcess): Promise<number> {
  const { text } = await daemon.ask('/metrics');
  return Number(/^codex_authd_requests_in_flight (\d+)$/m.exec(text)?.[1]) - 1;
}

describe('the daemon against a strict token endpoint', () => {
  it('answers a hundred concurrent consumers of an expired token with one request', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const gate = endpoint.holdNext();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(expired(endpoint)));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    const asked = Array.from({ length: 100 }, () => daemon.ask('/v1/credential'));
    while ((await requestsInFlight(daemon)) < 100);
    gate.open();
    const replies = await Promise.all(asked);
    expect(new Set(replies.map(({ status, text }) => `${String(status)} ${text}`)).size).toBe(1);
    expect(replies[0]?.json).toMatchObject({ generation: 2, token_type: 'Bearer', plan: 'pro' });
    expect(endpoint.requests).toHaveLength(1);
  });

  it('has the new tokens on disk, durably and with every foreign field, before anyone hears of them', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    const strange = '"future": { "big": 12345678901234567890, "huge": 1e400, "text": "\\u00e9\\/" }';
    const before = chatgptFile(expired(endpoint)).replace('"OPENAI_API_KEY": null', strange);
    await writeAuthFile(path, before);
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const { json } = await daemon.ask('/v1/credential');
    const after = await readFile(path, 'utf8');
    expect(after).toContain(strange);
    expect(after).toContain(String(json['access_token']));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(endpoint.isAlive((JSON.parse(after) as { tokens: LoginTokens }).tokens.refresh_token)).toBe(true);
  });

  it('keeps serving valid tokens, each refresh token sent once, for many short lives', async () => {
    const endpoint = await startEndpoint(4);
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const reads = { total: 0, expired: 0 };
    const enough = endpoint.request(4).then(() => true);
    let isDone = false;
    void enough.then((done) => (isDone = done));
    const consume = async (): Promise<void> => {
      while (!isDone) {
        const { status, json } = await daemon.ask('/v1/credential?min_valid=1');
        reads.total += 1;
        const token = String(json['access_token']);
        if (status !== 200 || !endpoint.verifyAccessToken(token, Date.now())) reads.expired += 1;
      }
    };
    await Promise.all(Array.from({ length: 10 }, consume));
    expect(reads.expired).toBe(0);
    expect(reads.total).toBeGreaterThan(100);
    expect(endpoint.sentTwice()).toEqual([]);
  });

  it('rotates on a person’s word, and is patient with somebody who repeats it', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200, json: { generation: 2 } });
    const again = await daemon.ask('/v1/refresh', 'POST');
    expect(again).toMatchObject({ status: 429, json: { code: 'rate_limited' } });
    expect(endpoint.requests).toHaveLength(1);
    expect(endpoint.requests[0]?.userAgent).toMatch(/^codex-authd\/\d/);
  });

  it('finishes a rotation in flight when it is told to stop, and answers who waits for it', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const gate = endpoint.holdNext();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(expired(endpoint)));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    const asked = daemon.ask('/v1/credential');
    while ((await requestsInFlight(daemon)) < 1);
    daemon.cli.process.kill('SIGTERM');
    await daemon.logged('stopping');
    gate.open();
    expect((await asked).status).toBe(200);
    expect(await daemon.cli.ended).toMatchObject({ code: 0, signal: null });
    const { tokens } = JSON.parse(await readFile(daemon.authFile, 'utf8')) as { tokens: LoginTokens };
    expect(endpoint.isAlive(tokens.refresh_token)).toBe(true);
  });

  it('is finished on a second signal as well: its answer would be lost', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const gate = endpoint.holdNext();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(expired(endpoint)));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    daemon.cli.process.kill('SIGINT');
    await daemon.logged('stopping');
    daemon.cli.process.kill('SIGTERM');
    await daemon.logged('not at once: a refresh token was sent, and its answer would be lost');
    gate.open();
    expect(await daemon.cli.ended).toMatchObject({ code: 0 });
    const { tokens } = JSON.parse(await readFile(daemon.authFile, 'utf8')) as { tokens: LoginTokens };
    expect(endpoint.isAlive(tokens.refresh_token)).toBe(true);
  });

  it('counts on from where it was when it is started again', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(expired(endpoint)));
    const first = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const before = await first.ask('/v1/credential');
    expect((await first.stop()).code).toBe(0);
    const second = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    expect(await second.ask('/v1/credential')).toMatchObject({ text: before.text });
    expect(await second.account()).toMatchObject({ generation: 2, written_by: 'codex-authd' });
  });

  it('is shown to a person by the command line', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const tokens = endpoint.login();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(tokens));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    expect(await runCli(sandbox, ['token'])).toMatchObject({
      code: 0,
      stdout: `${tokens.access_token}\n`,
      stderr: '',
    });
    const status = await runCli(sandbox, ['status']);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toMatch(/^fresh: the access token is valid\n/);
    expect(status.stdout).toContain('ada@example.test');
    expect(await runCli(sandbox, ['refresh'])).toMatchObject({ code: 0 });
    const env = await runCli(sandbox, [
      'exec',
      '--',
      process.execPath,
      '-p',
      'process.env.CODEX_AUTHD_TOKEN',
    ]);
    expect(env).toMatchObject({
      code: 0,
      stdout: `${String((await daemon.ask('/v1/credential')).json['access_token'])}\n`,
    });

    await daemon.stop();
    const down = await runCli(sandbox, ['status']);
    expect(down).toMatchObject({ code: 3 });
    expect(down.stdout).toContain('ada@example.test');
    expect(await runCli(sandbox, ['token'])).toMatchObject({ code: 3, stdout: '' });
  });

  it('spends no token as long as nobody could ask for what it brings: the socket comes first', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(expired(endpoint)));
    await chmod(join(sandbox.directory, 'run', 'codex-authd'), 0o755);
    const env = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: endpoint.url };
    expect(await runCli(sandbox, ['run'], { env })).toMatchObject({ code: 1 });
    expect(endpoint.requests).toEqual([]);
  });

  it('sees a logout while the server takes its time', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    const gate = endpoint.holdNext();
    const { refresh_token: refreshToken } = endpoint.login();
    const issuedAtMs = Date.now() - 55 * 60 * 1000;
    await writeAuthFile(
      path,
      chatgptFile(makeLoginTokens({ issuedAtMs, lifetimeSeconds: HOUR_S, refreshToken })),
    );
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    expect((await daemon.ask('/v1/credential?min_valid=0')).status).toBe(200);
    await rm(path);
    await daemon.listen().untilState('logged_out');
    expect(await daemon.ask('/v1/credential')).toMatchObject({ status: 503, json: { code: 'logged_out' } });
    gate.open();
    await daemon.stop();
    expect(await readdir(sandbox.codexHome)).not.toContain('auth.json');
  });

  it('puts no token into its log, whatever happens', async () => {
    const endpoint = await startEndpoint(HOUR_S);
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    const secrets = expired(endpoint);
    await writeAuthFile(path, chatgptFile(secrets));
    const daemon = await DaemonProcess.start({
      sandbox,
      tokenEndpoint: endpoint.url,
      args: ['--log-level', 'debug'],
    });
    await daemon.ask('/v1/token');
    endpoint.endLogin(
      (JSON.parse(await readFile(path, 'utf8')) as { tokens: LoginTokens }).tokens.refresh_token,
    );
    const failed = await daemon.ask('/v1/refresh', 'POST');
    expect(failed).toMatchObject({ status: 503, json: { code: 'login_required' } });
    const { tokens } = JSON.parse(await readFile(path, 'utf8')) as { tokens: LoginTokens };
    const { stderr } = await daemon.stop();
    for (const secret of [...Object.values(secrets), ...Object.values(tokens)]) {
      if (secret !== tokens.account_id) expect(stderr).not.toContain(secret);
    }
  });
});
