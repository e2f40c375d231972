import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSandbox, runCli, startCli, type Sandbox } from './run-cli.js';

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(() => sandbox.remove());

describe('run', () => {
  it('serves what the other commands ask for, and writes nothing to stdout until it is stopped', async () => {
    const home = join(sandbox.directory, 'other');
    await mkdir(home, { mode: 0o700 });
    await writeFile(join(home, 'auth.json'), JSON.stringify({ OPENAI_API_KEY: 'sk-test' }), { mode: 0o600 });
    const daemon = startCli(sandbox, ['--codex-home', home, 'run', '--log-level', 'info']);
    try {
      await daemon.stderrUntil((stderr) => stderr.includes('"listening"'));
      expect(await runCli(sandbox, ['token'])).toEqual({
        code: 0,
        signal: null,
        stdout: 'sk-test\n',
        stderr: '',
      });
      const { code, stdout } = await runCli(sandbox, ['status']);
      expect(code).toBe(0);
      expect(stdout).toContain(`  auth file      ${join(home, 'auth.json')}\n`);
    } finally {
      daemon.process.kill('SIGTERM');
    }
    expect(await daemon.ended).toMatchObject({ code: 0, signal: null, stdout: '' });
  });

  it.each([
    ['after the command', ['run', '--account', 'nonsense']],
    ['before it', ['--account=nonsense', 'run']],
  ])('does not start for an account that it does not keep, named %s', async (_where, args) => {
    expect(await runCli(sandbox, args)).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr:
        'codex-authd: error: `run` cannot keep the account "nonsense" alone\n' +
        'codex-authd: hint: it keeps "default": leave --account out; for another auth.json name its directory with --codex-home, or in an [[account]]\n',
    });
  });

  it('starts for the account that it keeps', async () => {
    const daemon = startCli(sandbox, ['run', '--account', 'default']);
    try {
      await daemon.stderrUntil((stderr) => stderr.includes('"listening"'));
    } finally {
      daemon.process.kill('SIGTERM');
    }
    expect(await daemon.ended).toMatchObject({ code: 0, signal: null });
  });

  it.each([
    ['a log level that there is not', ['--log-level', 'loud']],
    ['a configuration file that there is not', ['--config', '/nonexistent/config.toml']],
    ['a socket path that is too long', ['--socket', `/tmp/${'x'.repeat(200)}`]],
  ])('does not start with %s: one error, one hint, exit code 1', async (_name, args) => {
    const { code, stdout, stderr } = await runCli(sandbox, ['run', ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    const ours = lines.filter((line) => line.startsWith('codex-authd: '));
    expect(ours).toEqual([
      expect.stringMatching(/^codex-authd: error: .+/),
      expect.stringMatching(/^codex-authd: hint: .+/),
    ]);
  });
});
