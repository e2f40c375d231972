import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { publish } from '../../src/index.js';
import { CLI, runCli, type Sandbox } from '../cli/run-cli.js';
import { DaemonProcess, ownSandbox, type DaemonOptions } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { readPublished } from '../support/published-home.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

/** Due for rotation, and far from its end: with 12 minutes of an hour left. */
const DUE_MS = 48 * 60 * 1000;

async function ownEndpoint(options = {}): Promise<StrictTokenEndpoint> {
  const endpoint = await StrictTokenEndpoint.start(options);
  onTestFinished(() => endpoint.close());
  return endpoint;
}

/** The home of an account, with a login of the endpoint in it whose access token is `ageMs` old. */
async function logIn(
  sandbox: Sandbox,
  name: string,
  endpoint: StrictTokenEndpoint,
  ageMs = 0,
): Promise<LoginTokens> {
  const accountId = `acct-${name}`;
  const refreshToken = endpoint.login({ accountId }).refresh_token;
  const tokens = makeLoginTokens({
    issuedAtMs: Date.now() - ageMs,
    lifetimeSeconds: 3600,
    claims: { accountId },
    refreshToken,
  });
  await mkdir(homeOf(sandbox, name), { recursive: true, mode: 0o700 });
  await writeAuthFile(join(homeOf(sandbox, name), 'auth.json'), chatgptFile(tokens));
  return tokens;
}

function homeOf({ directory }: Sandbox, name: string): string {
  return join(directory, 'homes', name);
}

/** `[[account]]` for each name, in a home of that name. */
function tables(sandbox: Sandbox, names: readonly string[], more = ''): string {
  return names
    .map((name) => `[[account]]\nname = "${name}"\ncodex_home = "${homeOf(sandbox, name)}"\n${more}`)
    .join('');
}

/** A daemon to whom the environment says nothing of token endpoints. */
function start(sandbox: Sandbox, options: DaemonOptions = {}): Promise<DaemonProcess> {
  return DaemonProcess.start({ sandbox, ...options, env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: '' } });
}

async function tokensIn(sandbox: Sandbox, name: string): Promise<LoginTokens> {
  const text = await readFile(join(homeOf(sandbox, name), 'auth.json'), 'utf8');
  return (JSON.parse(text) as { tokens: LoginTokens }).tokens;
}

function rotated(daemon: DaemonProcess, name: string): Promise<unknown> {
  return daemon
    .listen(name)
    .until(({ event, data }) => event === 'state' && data.written_by === 'codex-authd');
}

describe('several accounts in one daemon', () => {
  it('are each kept by themselves: login, token endpoint, client and numbering', async () => {
    const sandbox = await ownSandbox();
    const [ours, theirs] = [await ownEndpoint(), await ownEndpoint({ clientId: 'their-client' })];
    const before = {
      default: await logIn(sandbox, 'default', ours, DUE_MS),
      work: await logIn(sandbox, 'work', ours, DUE_MS),
      client: await logIn(sandbox, 'client', theirs, DUE_MS),
    };
    await writeFile(
      sandbox.configFile,
      `token_endpoint = "${ours.url}"\nrotation_gap_seconds = 0\n${tables(sandbox, ['work', 'default'])}` +
        tables(sandbox, ['client'], `token_endpoint = "${theirs.url}"\nclient_id = "their-client"\n`),
    );
    const daemon = await start(sandbox);
    await Promise.all(Object.keys(before).map((name) => rotated(daemon, name)));
    for (const [name, tokens] of Object.entries(before)) {
      const now = await tokensIn(sandbox, name);
      expect(now.access_token).not.toBe(tokens.access_token);
      expect((await daemon.ask(`/v1/token?account=${name}`)).text).toBe(`${now.access_token}\n`);
      const { json } = await daemon.ask(`/v1/credential?account=${name}`);
      expect(json).toMatchObject({ account: name, account_id: `acct-${name}`, generation: 2 });
    }
    expect([ours.requests.length, theirs.requests.length]).toEqual([2, 1]);
    expect([...ours.sentTwice(), ...theirs.sentTwice()]).toEqual([]);

    const { json } = await daemon.ask('/v1/status');
    expect(json['accounts']).toMatchObject([
      { account: 'work' },
      { account: 'default' },
      { account: 'client' },
    ]);
    const { text: metrics } = await daemon.ask('/metrics');
    for (const name of Object.keys(before)) {
      expect(metrics).toContain(`codex_authd_rotations_total{account="${name}",by="own"} 1\n`);
      expect((await daemon.ask(`/healthz?account=${name}`)).json).toMatchObject({
        account: name,
        state: 'fresh',
      });
    }
    const named = await runCli(sandbox, ['token', '--account', 'client']);
    expect(named.stdout).toBe(`${(await tokensIn(sandbox, 'client')).access_token}\n`);
    const unnamed = await runCli(sandbox, ['token']);
    expect(unnamed.stdout).toBe(`${(await tokensIn(sandbox, 'default')).access_token}\n`);
  });

  it('are meant by `exec` for its command too: what that asks without a name is of the same account', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    for (const name of ['default', 'work']) await logIn(sandbox, name, endpoint);
    await writeFile(sandbox.configFile, tables(sandbox, ['default', 'work']));
    await start(sandbox);
    const asked = (...args: string[]): Promise<string> =>
      runCli(sandbox, [...args, '--', process.execPath, CLI, 'token']).then(({ stdout }) => stdout.trim());
    const [ours, work] = [await tokensIn(sandbox, 'default'), await tokensIn(sandbox, 'work')];
    expect(await asked('exec', '--account', 'work')).toBe(work.access_token);
    expect(await asked('exec')).toBe(ours.access_token);
    const inWork = ['exec', '--account', 'work', '--', process.execPath, CLI];
    expect(await asked(...inWork, 'exec', '--account', 'default')).toBe(ours.access_token);
  });

  it('are served while one of them is logged out', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    await logIn(sandbox, 'work', endpoint);
    await writeFile(sandbox.configFile, tables(sandbox, ['default', 'work']));
    const daemon = await start(sandbox);
    expect((await daemon.ask('/v1/token')).json).toMatchObject({ code: 'logged_out', status: 503 });
    expect((await daemon.ask('/v1/token?account=work')).status).toBe(200);
    expect([
      (await daemon.ask('/healthz')).status,
      (await daemon.ask('/healthz?account=work')).status,
    ]).toEqual([503, 200]);
    const { code, stdout, stderr } = await runCli(sandbox, ['status']);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^default: logged_out: [^]+^work: fresh: [^]+^daemon\n/m);
    expect(stderr).toBe('codex-authd: hint: default: run `codex login`\n');
  });

  it('have none that is meant by default, where none has that name: not even the only one', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    await logIn(sandbox, 'work', endpoint);
    await writeFile(sandbox.configFile, tables(sandbox, ['work']));
    const daemon = await start(sandbox);
    const hint = 'name one that it keeps, with account= or --account: "work"';
    expect((await daemon.ask('/v1/token')).json).toMatchObject({
      status: 404,
      code: 'unknown_account',
      hint,
    });
    expect((await daemon.ask('/v1/token?account=work')).status).toBe(200);
    expect(await runCli(sandbox, ['token'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `codex-authd: error: the daemon keeps no account named "default"\ncodex-authd: hint: ${hint}\n`,
    });
  });

  it('do not all ask the server at once when they are due together, and nobody who waits is held up', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    const names = Array.from({ length: 10 }, (_, index) => `account-${String(index)}`);
    for (const name of names) await logIn(sandbox, name, endpoint, DUE_MS);
    const gapMs = 600;
    await writeFile(
      sandbox.configFile,
      `token_endpoint = "${endpoint.url}"\nrotation_gap_seconds = ${String(gapMs / 1000)}\n${tables(sandbox, names)}`,
    );
    const daemon = await start(sandbox);
    const last = await daemon.ask('/v1/credential?account=account-9&min_valid=1800');
    expect(last).toMatchObject({ status: 200, json: { generation: 2 } });
    await Promise.all(names.map((name) => rotated(daemon, name)));
    expect(endpoint.requests).toHaveLength(10);
    expect(endpoint.sentTwice()).toEqual([]);
    const [first, ...others] = endpoint.requests.map(({ atMs }) => atMs).sort((a, b) => a - b);
    // Nine took turns, with eight gaps between them; only how long a request is on its way may blur that.
    const spanMs = (others.at(-1) ?? 0) - (first ?? 0);
    expect(spanMs).toBeGreaterThan(8 * gapMs * 0.8);
  });
});

describe('an account that another daemon keeps', () => {
  it('is told so, is served from the file, and is taken over when that daemon has gone', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    await logIn(sandbox, 'default', endpoint, DUE_MS);
    await logIn(sandbox, 'work', endpoint);
    const other = await start(sandbox, {
      args: [
        '--codex-home',
        homeOf(sandbox, 'work'),
        '--socket',
        join(sandbox.directory, 'other', 'authd.sock'),
      ],
    });
    await writeFile(
      sandbox.configFile,
      `token_endpoint = "${endpoint.url}"\n${tables(sandbox, ['default', 'work'])}`,
    );
    const daemon = await start(sandbox);
    await rotated(daemon, 'default');
    const work = await daemon.accountNamed('work');
    expect(work).toMatchObject({ state: 'degraded', reason: 'locked_elsewhere', serving: true });
    expect(work?.detail).toContain(`pid ${String(other.pid)}`);
    expect((await daemon.ask('/v1/token?account=work')).text.trim()).toBe(
      (await tokensIn(sandbox, 'work')).access_token,
    );
    const log = daemon.listen('work');
    await other.stop();
    await log.untilState('fresh');
    expect(await daemon.ask('/v1/refresh?account=work', 'POST')).toMatchObject({ status: 200 });
  });

  it('still ends a daemon that has no other one', async () => {
    const sandbox = await ownSandbox();
    await logIn(sandbox, 'work', await ownEndpoint());
    await writeFile(sandbox.configFile, tables(sandbox, ['work']));
    await start(sandbox);
    const second = await DaemonProcess.spawn({
      sandbox,
      args: ['--socket', join(sandbox.directory, 'other', 'authd.sock')],
      env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: '' },
    });
    expect(await second.cli.ended).toMatchObject({ code: 1 });
  });
});

describe('a configuration that is read again', () => {
  it('adds accounts and lets go of others, whose streams end and whose rotation in flight is finished', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    await logIn(sandbox, 'default', endpoint);
    const before = await logIn(sandbox, 'work', endpoint);
    await logIn(sandbox, 'new', endpoint, DUE_MS);
    const top = `token_endpoint = "${endpoint.url}"\n`;
    await writeFile(sandbox.configFile, `${top}${tables(sandbox, ['default', 'work'])}`);
    const daemon = await start(sandbox);
    const [kept, dropped] = [daemon.listen(), daemon.listen('work')];
    await Promise.all([kept.untilState('fresh'), dropped.untilState('fresh')]);
    const gate = endpoint.holdNext();
    const asked = daemon.ask('/v1/refresh?account=work', 'POST');
    await gate.arrived;

    await writeFile(sandbox.configFile, `${top}${tables(sandbox, ['default', 'new'])}`);
    daemon.cli.process.kill('SIGHUP');
    await dropped.ended;
    expect((await daemon.ask('/v1/token?account=work')).json).toMatchObject({ code: 'unknown_account' });
    await daemon.logged('configuration read again');
    await rotated(daemon, 'new');
    gate.open();
    await daemon.logged('kept no more');
    expect((await asked).json).toMatchObject({ account: 'work', generation: 2 });
    expect((await tokensIn(sandbox, 'work')).refresh_token).not.toBe(before.refresh_token);
    expect(endpoint.sentTwice()).toEqual([]);
    expect((await readdir(homeOf(sandbox, 'work'))).filter((name) => name.includes('codex-authd'))).toEqual(
      [],
    );

    // The stream of the one that stays was never cut.
    await daemon.ask('/v1/refresh', 'POST');
    await kept.until(({ event, data }) => event === 'credential' && data.generation === 2);
  });

  it('moves names to other homes, and homes to other names', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    for (const name of ['one', 'two', 'three']) await logIn(sandbox, name, endpoint);
    const table = (name: string, home: string): string =>
      `[[account]]\nname = "${name}"\ncodex_home = "${homeOf(sandbox, home)}"\n`;
    await writeFile(sandbox.configFile, table('a', 'one') + table('b', 'two') + table('c', 'three'));
    const daemon = await start(sandbox);
    await writeFile(sandbox.configFile, table('d', 'three') + table('b', 'one') + table('a', 'two'));
    daemon.cli.process.kill('SIGHUP');
    await daemon.logged('configuration read again');
    expect((await daemon.ask('/v1/status')).json['accounts']).toMatchObject([
      { account: 'd', account_id: 'acct-three', state: 'fresh' },
      { account: 'b', account_id: 'acct-one', state: 'fresh' },
      { account: 'a', account_id: 'acct-two', state: 'fresh' },
    ]);
  });

  it('takes along what is published: from another home, and not at all where the account has gone', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    for (const name of ['one', 'two', 'default']) await logIn(sandbox, name, endpoint);
    const [named, asked] = ['named', 'asked'].map((name) => join(sandbox.directory, name));
    if (named === undefined || asked === undefined) throw new Error('there is no directory');
    const table = (home: string): string =>
      `[[account]]\nname = "work"\ncodex_home = "${homeOf(sandbox, home)}"\n` +
      `[[publish]]\naccount = "work"\ndirectory = "${named}"\n`;
    const configure = (text: string): Promise<void> =>
      writeFile(sandbox.configFile, `${tables(sandbox, ['default'])}${text}`);
    const accountIn = (directory: string): Promise<string | undefined> =>
      readPublished(directory).then(
        ({ tokens }) => tokens.account_id,
        () => undefined,
      );
    await configure(table('one'));
    const daemon = await start(sandbox);
    await publish({ directory: asked, account: 'work', socket: daemon.socket });
    while ((await accountIn(named)) !== 'acct-one');

    await configure(table('two'));
    daemon.cli.process.kill('SIGHUP');
    await daemon.logged('configuration read again');
    while ((await accountIn(named)) !== 'acct-two');
    expect(await accountIn(asked)).toBe(undefined);

    await configure(table('one'));
    daemon.cli.process.kill('SIGHUP');
    while ((await accountIn(asked)) !== 'acct-one');

    await configure('');
    daemon.cli.process.kill('SIGHUP');
    while ((await daemon.accountNamed('work')) !== undefined);
    while ((await accountIn(named)) !== undefined || (await accountIn(asked)) !== undefined);
  });

  it('changes nothing where it cannot be used', async () => {
    const sandbox = await ownSandbox();
    const endpoint = await ownEndpoint();
    for (const name of ['default', 'work']) await logIn(sandbox, name, endpoint);
    await writeFile(sandbox.configFile, tables(sandbox, ['default', 'work']));
    const daemon = await start(sandbox);
    await writeFile(sandbox.configFile, tables(sandbox, ['default', 'default']));
    daemon.cli.process.kill('SIGHUP');
    await daemon.logged('the configuration cannot be used; the old one stays in force');
    expect((await daemon.ask('/v1/token?account=work')).status).toBe(200);
  });
});

describe('without a daemon', () => {
  it('status tells of every account, or of the one that is named', async () => {
    const sandbox = await ownSandbox();
    await logIn(sandbox, 'work', await ownEndpoint());
    await writeFile(sandbox.configFile, tables(sandbox, ['default', 'work']));
    const all = await runCli(sandbox, ['status']);
    expect(all.code).toBe(3);
    expect(all.stdout).toMatch(/^not running: [^]+^default: logged_out: [^]+^work: fresh: /m);
    const one = await runCli(sandbox, ['status', '--account', 'work', '--json']);
    expect(JSON.parse(one.stdout)).toMatchObject({
      accounts: [{ account: 'work', account_id: 'acct-work' }],
    });
    expect((await runCli(sandbox, ['status', '--account', 'play'])).stderr).toContain('default, work');
  });
});
