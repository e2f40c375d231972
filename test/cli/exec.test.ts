import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, makeSandbox, runCli, startCli, type CliEnd, type Sandbox } from './run-cli.js';
import {
  CREDENTIAL,
  json,
  startScriptedDaemon,
  type Script,
  type ScriptedDaemon,
} from './scripted-daemon.js';

let sandbox: Sandbox;
let daemon: ScriptedDaemon | undefined;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
  await sandbox.remove();
});

async function listen(script?: Script): Promise<ScriptedDaemon> {
  daemon = await startScriptedDaemon(sandbox.socket, script);
  return daemon;
}

function execScript(script: string, env: Record<string, string> = {}): Promise<CliEnd> {
  return runCli(sandbox, ['exec', '--', process.execPath, '-e', script], { env });
}

const PRINT_ENVIRONMENT = `console.log(JSON.stringify(Object.fromEntries(
  Object.entries(process.env).filter(([name]) => name.startsWith('CODEX_')).sort())))`;

describe('exec', () => {
  it('gives the command the credential, and nothing that would hide it from Codex', async () => {
    const { requests } = await listen();
    const { code, stdout, stderr } = await execScript(PRINT_ENVIRONMENT, {
      CODEX_API_KEY: 'sk-hides-it',
      CODEX_ACCESS_TOKEN: 'hides-it-too',
      CODEX_HOME: '/kept',
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      CODEX_AUTHD_ACCOUNT: 'default',
      CODEX_AUTHD_ACCOUNT_ID: 'acc-0001',
      CODEX_AUTHD_BASE_URL: 'https://chatgpt.com/backend-api/codex',
      CODEX_AUTHD_EXPIRES_AT: '2199-12-02T17:03:12.000Z',
      CODEX_AUTHD_SOCKET: sandbox.socket,
      CODEX_AUTHD_TOKEN: CREDENTIAL.access_token,
      CODEX_HOME: '/kept',
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'http://127.0.0.1:1/',
    });
    expect(requests).toEqual(['GET /v1/credential']);
  });

  it('lets nothing of an outer exec stand where the credential has no such thing', async () => {
    await listen({ 'GET /v1/credential': json({ ...CREDENTIAL, expires_at: null, account_id: null }) });
    const { stdout } = await execScript(PRINT_ENVIRONMENT, {
      CODEX_AUTHD_EXPIRES_AT: 'outer',
      CODEX_AUTHD_ACCOUNT_ID: 'outer',
    });
    expect(stdout).not.toContain('outer');
  });

  it('asks for a token that lasts as long as --min-valid says', async () => {
    const { requests } = await listen();
    const args = ['exec', '--min-valid', '3600', '--', process.execPath, '-e', '0'];
    expect(await runCli(sandbox, args)).toMatchObject({ code: 0 });
    expect(requests).toEqual(['GET /v1/credential?min_valid=3600']);
  });

  it('tells Codex to ask the daemon, before all that the caller tells it', async () => {
    await listen();
    const codex = join(sandbox.directory, 'codex');
    await writeFile(codex, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o700 });
    const { stdout } = await runCli(sandbox, ['exec', '--', codex, 'exec', 'hello']);
    const args = stdout.trimEnd().split('\n');
    const overrides = args.slice(0, -2).filter((_arg, index) => index % 2 === 1);
    expect(args.filter((arg) => arg === '-c')).toHaveLength(overrides.length);
    expect(args.slice(-2)).toEqual(['exec', 'hello']);
    expect(parse(overrides.join('\n'))).toMatchObject({
      cli_auth_credentials_store: 'ephemeral',
      model_provider: 'codex-authd',
      model_providers: {
        'codex-authd': {
          base_url: CREDENTIAL.base_url,
          http_headers: { 'ChatGPT-Account-ID': CREDENTIAL.account_id },
          auth: {
            command: process.execPath,
            args: [CLI, 'token', '--codex', '--socket', sandbox.socket, '--account', 'default'],
          },
        },
      },
    });
    expect(stdout).not.toContain(CREDENTIAL.access_token);
  });

  it.each([
    ['login', 'status'],
    ['logout'],
    ['-c', 'model="x"', 'login'],
    ['--config=model="x"', '--profile', 'work', 'logout'],
  ])('adds nothing to `codex %s`, which must find the login where it is', async (...args) => {
    await listen();
    const codex = join(sandbox.directory, 'codex');
    await writeFile(codex, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o700 });
    const { stdout } = await runCli(sandbox, ['exec', '--', codex, ...args]);
    expect(stdout.trimEnd().split('\n')).toEqual(args);
  });

  it('leaves every word after -- to the command', async () => {
    await listen();
    const print = 'console.log(JSON.stringify(process.argv.slice(1)))';
    const words = ['--json', '--help', '--', '--socket', ''];
    const { stdout } = await runCli(sandbox, ['exec', '--', process.execPath, '-e', print, '--', ...words]);
    expect(JSON.parse(stdout)).toEqual(words);
  });

  it("ends with the command's exit code, and with 128 and the number of the signal that ended it", async () => {
    await listen();
    expect(await execScript('process.exit(42)')).toMatchObject({ code: 42, stderr: '' });
    expect(await execScript("process.kill(process.pid, 'SIGKILL')")).toMatchObject({ code: 137, stderr: '' });
  });

  it('ends with 127 for a command that there is not, and with 126 for one that cannot be run', async () => {
    await listen();
    expect(await runCli(sandbox, ['exec', '--', 'no-such-command-anywhere'])).toEqual({
      code: 127,
      signal: null,
      stdout: '',
      stderr: 'codex-authd: error: cannot run no-such-command-anywhere: there is no such command\n',
    });
    const file = join(sandbox.directory, 'not-executable');
    await writeFile(file, '#!/bin/sh\n');
    await chmod(file, 0o600);
    expect(await runCli(sandbox, ['exec', '--', file])).toMatchObject({ code: 126, stdout: '' });
    expect(await runCli(sandbox, ['exec', '--', join(file, 'below')])).toMatchObject({
      code: 126,
      stdout: '',
    });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)(
    'passes %s on to the command, and waits for its end',
    async (signal) => {
      await listen();
      const script = `process.on('${signal}', () => { console.log('got ${signal}'); clearInterval(timer); process.exitCode = 7; });
        const timer = setInterval(() => {}, 1000); console.log('ready');`;
      const cli = startCli(sandbox, ['exec', '--', process.execPath, '-e', script]);
      await cli.stdoutUntil((stdout) => stdout.includes('ready'));
      cli.process.kill(signal);
      expect(await cli.ended).toEqual({
        code: 7,
        signal: null,
        stdout: `ready\ngot ${signal}\n`,
        stderr: '',
      });
    },
  );

  it('does not run the command without a credential', async () => {
    const { code, stdout, stderr } = await execScript('console.log("ran")');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('hint: start it with');
  });

  it.each([
    [['exec'], 'the command to run is missing'],
    [['exec', '--'], 'there is no command after `--`'],
    [['exec', 'make', 'all'], 'the command to run must follow `--`'],
  ])('exits with 2 for %j', async (args, why) => {
    await listen();
    expect(await runCli(sandbox, args)).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: `codex-authd: error: ${why}\ncodex-authd: hint: see \`codex-authd help exec\`\n`,
    });
  });
});
