import { chmod, lstat, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, makeSandbox, runCli, type CliEnd, type Sandbox } from './run-cli.js';
import {
  CREDENTIAL,
  json,
  startScriptedDaemon,
  type Script,
  type ScriptedDaemon,
} from './scripted-daemon.js';

let sandbox: Sandbox;
let daemon: ScriptedDaemon | undefined;
let file: string;

beforeEach(async () => {
  sandbox = await makeSandbox();
  file = join(sandbox.codexHome, 'config.toml');
});

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
  await sandbox.remove();
});

async function listen(script?: Script): Promise<void> {
  daemon = await startScriptedDaemon(sandbox.socket, script);
}

function codexConfig(...args: string[]): Promise<CliEnd> {
  return runCli(sandbox, ['codex-config', ...args]);
}

const provider = (socket: string, account = 'default') => ({
  name: 'codex-authd',
  base_url: CREDENTIAL.base_url,
  wire_api: 'responses',
  supports_websockets: false,
  http_headers: { 'ChatGPT-Account-ID': CREDENTIAL.account_id },
  auth: {
    command: process.execPath,
    args: [CLI, 'token', '--codex', '--socket', socket, '--account', account],
    timeout_ms: 5000,
    refresh_interval_ms: 300_000,
  },
});

describe('codex-config', () => {
  it('prints TOML that chooses a provider which asks this daemon', async () => {
    await listen();
    const { code, stdout, stderr } = await codexConfig();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(parse(stdout)).toEqual({
      model_provider: 'codex-authd',
      model_providers: { 'codex-authd': provider(sandbox.socket) },
    });
    expect(stdout).not.toContain(CREDENTIAL.access_token);
    expect(JSON.parse((await codexConfig('--json')).stdout)).toEqual(parse(stdout));
  });

  it('names the account that was named, and no account in the header of a key that has none', async () => {
    const credential = {
      ...CREDENTIAL,
      account: 'work',
      account_id: null,
      base_url: 'https://api.openai.com/v1',
    };
    await listen({ 'GET /v1/credential': json(credential) });
    const { http_headers: _none, ...expected } = provider(sandbox.socket, 'work');
    const { stdout } = await codexConfig('--account', 'work');
    expect(parse(stdout)['model_providers']).toEqual({
      'codex-authd': { ...expected, base_url: 'https://api.openai.com/v1' },
    });
  });

  it('writes it into the file, with a backup beside it and the mode that it had, and once only', async () => {
    await listen();
    await writeFile(file, 'model = "gpt-5"');
    await chmod(file, 0o640);
    expect(await codexConfig('--write')).toEqual({
      code: 0,
      signal: null,
      stdout: `changed: ${file}\n`,
      stderr: `codex-authd: hint: what it was is in ${file}.codex-authd.bak\n`,
    });
    const text = await readFile(file, 'utf8');
    expect(parse(text)).toMatchObject({ model: 'gpt-5', model_provider: 'codex-authd' });
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect(await readFile(`${file}.codex-authd.bak`, 'utf8')).toBe('model = "gpt-5"');
    expect(await codexConfig('--write')).toMatchObject({
      code: 0,
      stdout: `unchanged: ${file}\n`,
      stderr: '',
    });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect((await readdir(sandbox.codexHome)).sort()).toEqual(['config.toml', 'config.toml.codex-authd.bak']);
  });

  it('takes it out again, with no daemon, and to the byte', async () => {
    await listen();
    await writeFile(file, 'model = "gpt-5"');
    await codexConfig('--write');
    await daemon?.close();
    expect(await codexConfig('--remove', '--json')).toMatchObject({ code: 0 });
    expect(await readFile(file, 'utf8')).toBe('model = "gpt-5"');
    expect(await codexConfig('--remove')).toMatchObject({ code: 0, stdout: `unchanged: ${file}\n` });
  });

  it('makes a file that there was not, for its owner only', async () => {
    await listen();
    expect(await codexConfig('--write')).toMatchObject({ code: 0, stderr: '' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(sandbox.codexHome)).toEqual(['config.toml']);
  });

  it('follows a link, and leaves it one', async () => {
    await listen();
    const real = join(sandbox.directory, 'dotfiles.toml');
    await writeFile(real, '');
    await symlink(real, file);
    expect(await codexConfig('--write')).toMatchObject({ code: 0 });
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect(await readFile(real, 'utf8')).toContain('model_provider');
  });

  it('leaves a file alone that chooses another provider, and says what to do', async () => {
    await listen();
    await writeFile(file, 'model_provider = "mine"\n');
    const { code, stdout, stderr } = await codexConfig('--write');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('chooses another provider: model_provider = "mine"');
    expect(stderr).toContain('hint: take that out');
    expect(await readdir(sandbox.codexHome)).toEqual(['config.toml']);
  });

  it('fails with a hint where the home is missing or the link leads nowhere', async () => {
    await listen();
    const missing = await codexConfig('--write', '--codex-home', join(sandbox.directory, 'none'));
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('hint: it is as it was');
    await symlink(join(sandbox.directory, 'nowhere.toml'), file);
    const { code, stderr } = await codexConfig('--write');
    expect(code).toBe(1);
    expect(stderr).toContain('which is not there');
  });

  it('exits with 3 without a daemon, and with 2 where it is told two things', async () => {
    expect(await codexConfig()).toMatchObject({ code: 3, stdout: '' });
    expect(await codexConfig('--write', '--remove')).toMatchObject({ code: 2, stdout: '' });
  });
});
