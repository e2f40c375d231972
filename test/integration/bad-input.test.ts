import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli, type CliEnd, type Sandbox } from '../cli/run-cli.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';

/** One error, one hint, nothing on stdout, no stack. */
function expectClearRefusal({ code, stdout, stderr }: CliEnd, exitCode: number, said: RegExp): void {
  expect(stdout).toBe('');
  expect(stderr).toMatch(said);
  expect(stderr).toMatch(/^codex-authd: error: .+\ncodex-authd: hint: .+\n$/);
  expect(code).toBe(exitCode);
}

async function withConfig(text: string): Promise<Sandbox> {
  const sandbox = await ownSandbox();
  await writeFile(sandbox.configFile, text);
  return sandbox;
}

describe('what is refused at the start', () => {
  it.each([
    ['is no TOML', 'lead_min_seconds = = 3', /config\.toml is not TOML/],
    ['has a setting that nobody knows', 'leed = 3', /there is no setting `leed`/],
    ['has a value of the wrong type', 'socket = 3', /`socket` is 3/],
    ['has a value out of range', 'lead_fraction = 2', /`lead_fraction` is 2/],
    ['has a choice that is none', 'body_format = "xml"', /`body_format` is "xml"/],
    ['has a log level that is none', 'log_level = "loud"', /`log_level` is "loud"/],
  ])('a configuration that %s', async (_what, text, said) => {
    expectClearRefusal(await runCli(await withConfig(text), ['run']), 1, said);
  });

  it('a configuration file that was named and is not there', async () => {
    const refusal = await runCli(await ownSandbox(), ['run', '--config', '/nonexistent/config.toml']);
    expectClearRefusal(refusal, 1, /\/nonexistent\/config\.toml/);
  });

  it.each(['http://auth.example.com/oauth/token', 'ftp://127.0.0.1/', 'auth.example.com', ''])(
    'a token endpoint to which a refresh token would go in the clear: %j',
    async (url) => {
      const sandbox = await withConfig(`token_endpoint = ${JSON.stringify(url)}`);
      const env = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: '' };
      expectClearRefusal(await runCli(sandbox, ['run'], { env }), 1, /token.endpoint/);
    },
  );

  it.each(['token_endpoint', 'chatgpt_base_url', 'platform_base_url'])(
    'a password in %s, which is not repeated',
    async (name) => {
      const sandbox = await withConfig(`${name} = "https://ada:hunter2@auth.example.com/"`);
      const refusal = await runCli(sandbox, ['run'], { env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: '' } });
      expectClearRefusal(refusal, 1, /a user name or a password/);
      expect(refusal.stderr).not.toContain('hunter2');
    },
  );

  it.each(['chatgpt_base_url', 'platform_base_url'])('a %s that is none', async (name) => {
    expectClearRefusal(
      await runCli(await withConfig(`${name} = "foo"`), ['run']),
      1,
      /not an http or https URL/,
    );
  });

  it('an account that is not kept', async () => {
    const refusal = await runCli(await ownSandbox(), ['run', '--account', 'nonsense']);
    expectClearRefusal(refusal, 2, /cannot keep the account "nonsense" alone/);
  });

  it('an unknown flag, with the one that was probably meant', async () => {
    expectClearRefusal(await runCli(await ownSandbox(), ['run', '--sokcet', '/x']), 2, /--socket/);
  });

  it('a log level that is none', async () => {
    const { code, stderr } = await runCli(await ownSandbox(), ['run', '--log-level', 'loud']);
    expect(stderr).toMatch(/loud/);
    expect([1, 2]).toContain(code);
  });

  it('a socket path that is too long', async () => {
    const sandbox = await ownSandbox();
    const path = join(sandbox.directory, 'x'.repeat(108), 'authd.sock');
    expectClearRefusal(await runCli(sandbox, ['run', '--socket', path]), 1, /107/);
  });

  it('a socket directory that is open to others', async () => {
    const sandbox = await ownSandbox();
    await chmod(join(sandbox.directory, 'run', 'codex-authd'), 0o755);
    expectClearRefusal(await runCli(sandbox, ['run']), 1, /chmod 700/);
  });

  it('a socket in a home that is open to others, which stays open', async () => {
    const sandbox = await ownSandbox();
    await chmod(sandbox.directory, 0o755);
    const refusal = await runCli(sandbox, ['run', '--socket', join(sandbox.directory, 'x.sock')]);
    expectClearRefusal(refusal, 1, /hint: choose a path in a directory of its own/);
    expect(refusal.stderr).not.toContain('chmod');
  });

  it('a socket path where there is something else, which stays as it is', async () => {
    const sandbox = await ownSandbox();
    await writeFile(sandbox.socket, 'mine');
    expectClearRefusal(await runCli(sandbox, ['run']), 1, /no socket/);
    expect(await readFile(sandbox.socket, 'utf8')).toBe('mine');
  });

  it('a socket on which somebody else listens, who goes on', async () => {
    const sandbox = await ownSandbox();
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(sandbox.socket, resolve));
    onTestFinished(() => void server.close());
    expectClearRefusal(await runCli(sandbox, ['run']), 1, /already listens/);
    expect(server.listening).toBe(true);
  });
});

describe('an auth.json that cannot be used', () => {
  it.each([
    ['a directory', 'not_a_file', (path: string) => mkdir(path)],
    ['10 MiB', 'too_large', (path: string) => writeFile(path, ' '.repeat(10 * 1024 * 1024))],
    [
      'with a byte order mark',
      'byte_order_mark',
      (path: string) => writeFile(path, '\uFEFF{"OPENAI_API_KEY":"k"}'),
    ],
    ['no JSON', 'not_json', (path: string) => writeFile(path, 'OPENAI_API_KEY=k')],
    ['no object', 'wrong_shape', (path: string) => writeFile(path, '[]')],
    [
      'without an access token',
      'wrong_shape',
      (path: string) => writeFile(path, '{"tokens":{"refresh_token":"r"}}'),
    ],
    ['not UTF-8', 'not_utf8', (path: string) => writeFile(path, Buffer.from([0x22, 0xff, 0x22]))],
  ])('is told, stays as it is, and does not stop the daemon: %s', async (_what, reason, make) => {
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    await make(path);
    const daemon = await DaemonProcess.start({ sandbox });
    expect(await daemon.ask('/v1/credential')).toMatchObject({
      status: 503,
      json: { code: 'corrupt', reason, hint: expect.any(String) as string },
    });
    const token = await runCli(sandbox, ['token']);
    expectClearRefusal(token, 1, /auth\.json/);
    const status = await runCli(sandbox, ['status']);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/^corrupt: auth\.json /);
    await daemon.stop();
    expect((await runCli(sandbox, ['status'])).code).toBe(3);
  });
});

describe('a home in which nothing can be written', () => {
  it('is no reason not to serve what is in it', async () => {
    const sandbox = await ownSandbox();
    const home = '/proc/self/fd';
    const daemon = await DaemonProcess.start({ sandbox, args: ['--codex-home', home] });
    expect(await daemon.account()).toMatchObject({ state: 'logged_out' });
  });
});

describe('the configuration of a daemon that runs', () => {
  it('is read again on SIGHUP, and a broken one changes nothing', async () => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
    const daemon = await DaemonProcess.start({ sandbox });
    const before = await daemon.account();
    await writeFile(
      sandbox.configFile,
      'lead_max_seconds = 3600\nplatform_base_url = "https://example.com/v1"\n',
    );
    daemon.cli.process.kill('SIGHUP');
    await daemon.logged('configuration read again');
    const changed = await daemon.account();
    expect(Date.parse(changed.next_rotation_at ?? '')).toBeGreaterThan(
      Date.parse(before.next_rotation_at ?? ''),
    );

    await writeFile(sandbox.configFile, 'lead_max_seconds = "soon"\n');
    daemon.cli.process.kill('SIGHUP');
    await daemon.logged('the configuration cannot be used; the old one stays in force');
    expect(await daemon.account()).toEqual(changed);
  });

  it.each([
    ['is no TOML', 'password = "hunter2\n'],
    ['has a password in a URL', 'platform_base_url = "https://ada:hunter2@example.com/v1"\n'],
    ['has a text in the wrong place', 'lead_max_seconds = "hunter2"\n'],
  ])('is not repeated in the log where it %s', async (_what, text) => {
    const daemon = await DaemonProcess.start();
    await writeFile(daemon.sandbox.configFile, text);
    daemon.cli.process.kill('SIGHUP');
    await daemon.logged('the configuration cannot be used; the old one stays in force');
    expect((await daemon.stop()).stderr).not.toContain('hunter2');
  });
});
