import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readVersion } from '../../src/version.js';
import { makeSandbox, runCli, startCli, type Sandbox } from './run-cli.js';
import { CREDENTIAL, json, problem, startScriptedDaemon, type ScriptedDaemon } from './scripted-daemon.js';

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

async function daemonNamed(server: string, script = {}): Promise<void> {
  await daemon?.close();
  daemon = await startScriptedDaemon(sandbox.socket, script, { server });
}

function hint(version: string): string {
  return (
    `codex-authd: hint: the daemon is of version ${version}, this command line of ${readVersion()}: ` +
    'restart the daemon\n'
  );
}

async function stderrOf(...args: string[]): Promise<string> {
  return (await runCli(sandbox, args)).stderr;
}

const ASKING = [
  ['token'],
  ['credential'],
  ['status'],
  ['refresh'],
  ['codex-config'],
  ['publish', '.'],
  ['exec', '--', 'true'],
];

describe('a daemon of another version', () => {
  it.each(ASKING.map((args) => [args.join(' '), args] as const))(
    'is told of by `%s`, on stderr',
    async (_name, args) => {
      await daemonNamed('codex-authd/0.0.9');
      expect(await stderrOf(...args)).toContain(hint('0.0.9'));
    },
  );

  it('is told of by `watch` when the stream begins', async () => {
    await daemonNamed('codex-authd/0.0.9');
    const watching = startCli(sandbox, ['watch']);
    await watching.stderrUntil((stderr) => stderr.includes(hint('0.0.9')));
    watching.process.kill('SIGTERM');
    await watching.ended;
  });

  it('is told of once, whichever command met it, and again when it is yet another one', async () => {
    await daemonNamed('codex-authd/0.0.9');
    expect(await runCli(sandbox, ['token'])).toMatchObject({
      code: 0,
      stdout: `${CREDENTIAL.access_token}\n`,
      stderr: hint('0.0.9'),
    });
    for (const args of [['token'], ['status'], ['credential']]) expect(await stderrOf(...args)).toBe('');
    await daemonNamed('codex-authd/0.2.0');
    expect(await stderrOf('status')).toBe(hint('0.2.0'));
    await daemonNamed('codex-authd/0.0.9');
    expect(await stderrOf('status')).toBe('');
  });

  it('is told of before the failure that may come of it', async () => {
    await daemonNamed('codex-authd/0.0.9', { 'GET /v1/credential': json({ token: 'of another shape' }) });
    expect(await stderrOf('token')).toMatch(/^codex-authd: hint: the daemon is of version [^]*error: /);
    await daemonNamed('codex-authd/0.0.8', { 'GET /v1/credential': problem(503, 'corrupt', 'broken') });
    expect(await stderrOf('token')).toContain(hint('0.0.8'));
  });

  it('is never told of to Codex, nor does it count as told then', async () => {
    await daemonNamed('codex-authd/0.0.9');
    expect(await stderrOf('token', '--codex')).toBe('');
    expect(await stderrOf('token')).toBe(hint('0.0.9'));
  });

  it('is remembered in a file of the state directory that only its owner reads', async () => {
    await daemonNamed('codex-authd/0.0.9');
    await stderrOf('token');
    const file = join(sandbox.directory, 'state', 'codex-authd', 'version-skew');
    expect(await readFile(file, 'utf8')).toBe(`${readVersion()} 0.0.9\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
  });

  it('is told of each time where nothing can be remembered, and nothing fails of that', async () => {
    await daemonNamed('codex-authd/0.0.9');
    const state = join(sandbox.directory, 'state');
    await writeFile(state, 'no directory');
    const told = { code: 0, stdout: `${CREDENTIAL.access_token}\n`, stderr: hint('0.0.9') };
    expect(await runCli(sandbox, ['token'])).toMatchObject(told);
    await rm(state);
    await mkdir(join(state, 'codex-authd', 'version-skew'), { recursive: true });
    expect(await runCli(sandbox, ['token'])).toMatchObject(told);
  });
});

describe('nothing is told of', () => {
  it.each([
    ['a daemon of this version', `codex-authd/${readVersion()}`],
    ['another server', 'nginx/1.29.0'],
    ['a version that is none', 'codex-authd/1 of <many>'],
  ])('%s', async (_name, server) => {
    await daemonNamed(server);
    expect(await stderrOf('token')).toBe('');
  });

  it('a daemon that does not name its version', async () => {
    daemon = await startScriptedDaemon(sandbox.socket);
    expect(await stderrOf('token')).toBe('');
  });
});
