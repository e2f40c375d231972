import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSandbox, runCli, startCli, type Sandbox } from './run-cli.js';

let sandbox: Sandbox;
let env: Record<string, string>;

beforeEach(async () => {
  sandbox = await makeSandbox();
  const bin = join(sandbox.directory, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'journalctl'), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit "${JOURNAL_ENDS:-0}"\n');
  await chmod(join(bin, 'journalctl'), 0o755);
  env = { PATH: `${bin}:${sandbox.env['PATH'] ?? ''}` };
});

afterEach(() => sandbox.remove());

async function installUnit(): Promise<void> {
  const unit = join(dirname(dirname(sandbox.configFile)), 'systemd', 'user', 'codex-authd.service');
  await mkdir(dirname(unit), { recursive: true });
  await writeFile(unit, '[Service]\nExecStart=/usr/bin/env codex-authd run\n');
}

async function writeLog(text: string): Promise<string> {
  const file = join(sandbox.directory, 'state', 'codex-authd', 'daemon.log');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

describe('logs', () => {
  it('shows the journal of the service', async () => {
    await installUnit();
    const journal = ['--user', '--unit=codex-authd.service', '--output=cat'];
    expect(await runCli(sandbox, ['logs'], { env })).toEqual({
      code: 0,
      signal: null,
      stdout: `${[...journal, '--lines=100'].join('\n')}\n`,
      stderr: '',
    });
    const { stdout } = await runCli(sandbox, ['logs', '-f', '-n', '5'], { env });
    expect(stdout).toBe(`${[...journal, '--lines=5', '--follow'].join('\n')}\n`);
    expect(await runCli(sandbox, ['logs'], { env: { ...env, JOURNAL_ENDS: '3' } })).toMatchObject({
      code: 1,
    });
  });

  it('shows the log file where no service is installed, and goes on with it if asked', async () => {
    const file = await writeLog('one\ntwo\nthree\n');
    expect(await runCli(sandbox, ['logs', '--lines', '2'])).toMatchObject({
      code: 0,
      stdout: 'two\nthree\n',
    });
    const following = startCli(sandbox, ['logs', '--follow']);
    await following.stdoutUntil((text) => text.includes('three'));
    await appendFile(file, 'four\n');
    await following.stdoutUntil((text) => text.includes('four'));
    following.process.kill('SIGTERM');
    await following.ended;
    expect(await readFile(file, 'utf8')).toBe('one\ntwo\nthree\nfour\n');
  });

  it('says where there is none', async () => {
    expect(await runCli(sandbox, ['logs'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^codex-authd: error: there is no log: .*\ncodex-authd: hint: .*\n$/),
    });
  });

  it.each(['many', '-1', '1.5'])('takes no number of lines like %s', async (lines) => {
    expect(await runCli(sandbox, ['logs', `--lines=${lines}`])).toMatchObject({ code: 2, stdout: '' });
  });
});
