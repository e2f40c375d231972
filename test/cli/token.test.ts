import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, makeSandbox, runCli, startCli, type Sandbox } from './run-cli.js';
import {
  answer,
  CREDENTIAL,
  hangUp,
  json,
  problem,
  silence,
  startScriptedDaemon,
  type ScriptedDaemon,
  type Script,
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

const NOTHING_BUT_THE_TOKEN = { code: 0, signal: null, stdout: `${CREDENTIAL.access_token}\n`, stderr: '' };

describe('token', () => {
  it('prints the token and a newline, and nothing else', async () => {
    const { requests, hosts } = await listen();
    expect(await runCli(sandbox, ['token'])).toEqual(NOTHING_BUT_THE_TOKEN);
    expect(requests).toEqual(['GET /v1/credential']);
    expect(hosts).toEqual(['localhost']);
  });

  it('prints the token and its expiry with --json', async () => {
    await listen();
    const { code, stdout } = await runCli(sandbox, ['token', '--json']);
    expect(code).toBe(0);
    expect(stdout).toBe(
      `{"access_token":"${CREDENTIAL.access_token}","expires_at":"2199-12-02T17:03:12.000Z"}\n`,
    );
  });

  it('passes on for how long the token is needed, how long to wait, and whose it is', async () => {
    const { requests } = await listen({ 'GET /v1/credential': json({ ...CREDENTIAL, account: 'work' }) });
    const args = ['token', '--min-valid', '3600', '--wait=5', '--account', 'work'];
    expect(await runCli(sandbox, args)).toEqual(NOTHING_BUT_THE_TOKEN);
    expect(requests).toEqual(['GET /v1/credential?account=work&min_valid=3600&wait=5']);
  });

  it('takes global flags before the command as well', async () => {
    const { requests, socket } = await listen({
      'GET /v1/credential': json({ ...CREDENTIAL, account: 'work' }),
    });
    const elsewhere = { XDG_RUNTIME_DIR: '/nonexistent' };
    const before = await runCli(sandbox, ['--socket', socket, '--account=work', 'token', '--wait', '5'], {
      env: elsewhere,
    });
    const after = await runCli(sandbox, ['token', '--wait', '5', '--socket', socket, '--account=work'], {
      env: elsewhere,
    });
    expect(before).toEqual(NOTHING_BUT_THE_TOKEN);
    expect(after).toEqual(before);
    expect(requests[0]).toBe(requests[1]);
  });

  it('finds the socket in the environment, and in the configuration file', async () => {
    const { socket } = await listen();
    const env = { XDG_RUNTIME_DIR: '/nonexistent' };
    expect(await runCli(sandbox, ['token'], { env: { ...env, CODEX_AUTHD_SOCKET: socket } })).toEqual(
      NOTHING_BUT_THE_TOKEN,
    );
    await writeFile(sandbox.configFile, `socket = ${JSON.stringify(socket)}\n`);
    expect(await runCli(sandbox, ['token'], { env })).toEqual(NOTHING_BUT_THE_TOKEN);
  });
});

describe('token, when there is none to be had', () => {
  it('says how to start the daemon if nobody listens, and exits with 3', async () => {
    expect(await runCli(sandbox, ['token'])).toEqual({
      code: 3,
      signal: null,
      stdout: '',
      stderr:
        `codex-authd: error: no daemon answers on ${sandbox.socket}\n` +
        'codex-authd: hint: start it with `codex-authd up`\n',
    });
  });

  it('exits with 3 if the daemon closes the connection instead of answering', async () => {
    await listen({ 'GET /v1/credential': hangUp });
    const { code, stdout, stderr } = await runCli(sandbox, ['token']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('closed the connection');
  });

  it.each([
    ['login_required', 'refresh_token_rejected'],
    ['logged_out', 'no_file'],
  ] as const)('exits with 4 if a person has to log in: %s', async (code, reason) => {
    await listen({
      'GET /v1/credential': problem(503, code, 'the login is over', { hint: 'run `codex login`', reason }),
    });
    expect(await runCli(sandbox, ['token', '--json'])).toEqual({
      code: 4,
      signal: null,
      stdout: '',
      stderr: 'codex-authd: error: the login is over\ncodex-authd: hint: run `codex login`\n',
    });
  });

  it('exits with 5 if the new token does not come within the wait', async () => {
    await listen({
      'GET /v1/credential': problem(503, 'unavailable', 'a new access token is being fetched', {
        reason: 'rotation_in_flight',
      }),
    });
    expect(await runCli(sandbox, ['token'])).toMatchObject({ code: 5, stdout: '' });
  });

  it('exits with 5 if the daemon does not answer at all, soon after the wait is over', async () => {
    await listen({ 'GET /v1/credential': silence });
    const { code, stdout, stderr } = await runCli(sandbox, ['token', '--wait', '0']);
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toBe(
      'codex-authd: error: the daemon did not answer within 3 s\n' +
        'codex-authd: hint: `codex-authd doctor` says whether it hangs, and how to replace it\n',
    );
  }, 20_000);

  it.each([
    ['unavailable', 503, 'server_error'],
    ['unsupported', 503, 'keyring'],
    ['corrupt', 503, 'not_json'],
    ['unknown_account', 404, null],
    ['internal', 500, null],
  ] as const)('exits with 1 for every other problem: %s', async (code, status, reason) => {
    await listen({ 'GET /v1/credential': problem(status, code, 'that is how it is', { reason }) });
    expect(await runCli(sandbox, ['token'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'codex-authd: error: that is how it is\n',
    });
  });

  it('says when it is worth asking again', async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    await listen({ 'GET /v1/credential': problem(503, 'unavailable', 'no answer', { retry_at: soon }) });
    const { stderr } = await runCli(sandbox, ['token']);
    expect(stderr).toMatch(/hint: it is worth trying again in 59 min \d+ s\n$/);
  });

  it('prints no token that could smuggle something else into a line or a header', async () => {
    await listen({ 'GET /v1/credential': json({ ...CREDENTIAL, access_token: 'abc\nX-Evil: 1' }) });
    expect(await runCli(sandbox, ['token'])).toMatchObject({ code: 1, stdout: '' });
  });

  it('strips control characters from what the daemon says', async () => {
    await listen({ 'GET /v1/credential': problem(503, 'corrupt', 'a\u001b[2Jb\nc\u009bd\u202ee') });
    const { stderr } = await runCli(sandbox, ['token']);
    expect(stderr).toBe('codex-authd: error: a[2Jb cde\n');
  });

  it.each([
    ['another program', answer(200, 'text/html', '<html>'), 'it is text/html'],
    ['another status', answer(302, 'application/json', '{}'), 'status 302 without a problem'],
    ['half a credential', json({ access_token: 'abc' }), 'it is not a credential'],
  ])('takes no answer of %s for a credential', async (_name, handler, why) => {
    await listen({ 'GET /v1/credential': handler });
    const { code, stdout, stderr } = await runCli(sandbox, ['token']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`is none of codex-authd's: ${why}\n`);
    expect(stderr).toContain('codex-authd: hint: check that this is the socket of codex-authd');
  });

  it('refuses what is no number of seconds, with exit code 2, without asking', async () => {
    const { requests } = await listen();
    expect(await runCli(sandbox, ['token', '--min-valid=1.5'])).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr:
        'codex-authd: error: --min-valid is not a number of seconds: 1.5\n' +
        'codex-authd: hint: give a whole number from 0 to 2592000\n',
    });
    expect(requests).toEqual([]);
  });

  it.each([
    ['a missing one', undefined, 'ENOENT'],
    ['one that is no TOML', 'socket = [', 'Invalid TOML'],
    ['one with a socket that is no path', 'socket = 7', '`socket` in'],
  ])('exits with 1 for a configuration file that --config names: %s', async (_name, text, why) => {
    const file = join(sandbox.directory, 'my.toml');
    if (text !== undefined) await writeFile(file, text);
    const { code, stdout, stderr } = await runCli(sandbox, ['--config', file, 'token']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(why);
    expect(stderr).toContain(file);
    expect(stderr).toContain('codex-authd: hint: ');
  });

  it('refuses a socket path that the system would cut off, before it dials', async () => {
    const long = join(sandbox.directory, 'x'.repeat(108), 'authd.sock');
    const { code, stdout, stderr } = await runCli(sandbox, ['token', '--socket', long]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/error: the socket path is \d+ bytes long, and the system takes 10[37]: /);
    expect(stderr).toContain('hint: name a shorter one with --socket');
  });
});

/** The address in a line of the scripted daemon's book. */
function addressOf(line = ''): URL {
  return new URL(line.slice(line.indexOf('/')), 'http://localhost');
}

describe('token --codex', () => {
  it('says which process asks, and wants a token for as long as Codex keeps it, in less than 4.5 s', async () => {
    const { requests } = await listen();
    expect(await runCli(sandbox, ['token', '--codex'])).toEqual(NOTHING_BUT_THE_TOKEN);
    const query = addressOf(requests[0]).searchParams;
    expect([...query.keys()].sort()).toEqual(['asker', 'min_valid', 'wait']);
    expect(query.get('asker')).toMatch(new RegExp(`^${String(process.pid)}-[A-Za-z0-9.:]+$`));
    expect(query.get('min_valid')).toBe('300');
    expect(Number(query.get('wait'))).toBeGreaterThan(0);
    expect(Number(query.get('wait'))).toBeLessThan(4);
  });

  it('says the same of itself each time', async () => {
    const { requests } = await listen();
    for (let times = 0; times < 2; times += 1) await runCli(sandbox, ['token', '--codex']);
    const askers = requests.map((line) => addressOf(line).searchParams.get('asker'));
    expect(new Set(askers).size).toBe(1);
  });

  it('waits for less if it is told to, and not for more', async () => {
    const { requests } = await listen();
    await runCli(sandbox, ['token', '--codex', '--wait', '1', '--min-valid', '7', '--account', 'default']);
    await runCli(sandbox, ['token', '--codex', '--wait', '600']);
    const waits = requests.map((line) => Number(addressOf(line).searchParams.get('wait')));
    expect(requests[0]).toContain('account=default');
    expect(requests[0]).toContain('min_valid=7&');
    expect(waits[0]).toBe(1);
    expect(waits[1]).toBeLessThan(4);
  });

  it('gives up on a daemon that hangs before Codex gives up on it, with exit code 5', async () => {
    await listen({ 'GET /v1/credential': silence });
    const startedMs = performance.now();
    const { code, stdout, stderr } = await runCli(sandbox, ['token', '--codex']);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toContain('the daemon did not answer within');
  }, 10_000);

  it('takes no value', async () => {
    const { requests } = await listen();
    expect(await runCli(sandbox, ['token', '--codex=1'])).toMatchObject({ code: 2, stdout: '' });
    expect(requests).toEqual([]);
  });
});

describe('token, when stdout fails', () => {
  it('ends without a word if the reader has gone away', async () => {
    await listen();
    const { process: child, ended } = startCli(sandbox, ['token']);
    child.stdout.destroy();
    expect(await ended).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  it('says so, and exits with 1, if stdout takes nothing', async () => {
    await listen();
    const readOnly = await open(CLI, 'r');
    const child = spawn(process.execPath, [CLI, 'token'], {
      env: { ...sandbox.env },
      stdio: ['ignore', readOnly.fd, 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await once(child, 'close');
    await readOnly.close();
    expect(child.exitCode).toBe(1);
    expect(stderr).toMatch(/^codex-authd: error: cannot write to stdout: /);
  });
});
