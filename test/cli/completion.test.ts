import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bashCompletion } from '../../src/cli/completion/bash.js';
import { COMMANDS, GLOBAL_OPTIONS } from '../../src/cli/table.js';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';

let sandbox: Sandbox;
let script: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  script = join(sandbox.directory, 'completion.bash');
  await writeFile(script, bashCompletion());
  await mkdir(join(sandbox.directory, 'a directory'));
  await writeFile(join(sandbox.directory, 'a file'), '');
});

afterAll(() => sandbox.remove());

/** What bash offers for the last of these words. */
async function complete(...words: readonly string[]): Promise<string[]> {
  const ask = [
    'source "$1"; shift',
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))',
    '_codex_authd codex-authd "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"',
    'for each in "${COMPREPLY[@]}"; do printf "%s\\n" "$each"; done',
  ].join('\n');
  const { stdout } = await promisify(execFile)(
    'bash',
    ['--norc', '--noprofile', '-c', ask, 'bash', script, 'codex-authd', ...words],
    { cwd: sandbox.directory, env: sandbox.env },
  );
  return stdout.split('\n').slice(0, -1);
}

const GLOBALS = GLOBAL_OPTIONS.map(({ name }) => `--${name}`);

describe('the completions of bash, in bash', () => {
  it('offer every command, and every option that may stand before it', async () => {
    expect(await complete('')).toEqual([...GLOBALS, ...COMMANDS.map(({ name }) => name)]);
    expect(await complete('pub')).toEqual(['publish']);
    expect(await complete('--socket', '/run/a', 'vers')).toEqual(['version']);
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    'offer every option of %s',
    async (name, { options, runsCommand }) => {
      const expected = [...options.map((option) => `--${option.name}`), ...GLOBALS];
      expect(await complete(name, '--')).toEqual(runsCommand ? [...expected, '--'] : expected);
    },
  );

  it('offer directories, files and words where these are wanted, and nothing for a number', async () => {
    expect(await complete('publish', 'a')).toEqual(['a directory']);
    expect((await complete('--config', 'a')).sort()).toEqual(['a directory', 'a file']);
    expect(await complete('--codex-home', 'a')).toEqual(['a directory']);
    expect(await complete('run', '--log-level', '')).toEqual(['debug', 'info', 'warn', 'error']);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('help', 'doc')).toEqual(['doctor']);
    expect(await complete('token', '--min-valid', '')).toEqual([]);
  });

  it('offer programs after the -- of exec', async () => {
    expect(await complete('exec', '--', 'bas')).toContain('bash');
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])(
    'prints that of %s, with every command and option in it',
    async (shell) => {
      const { code, stdout, stderr } = await runCli(sandbox, ['completion', shell]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const { name, options } of COMMANDS) {
        expect(stdout).toContain(name);
        for (const option of options) expect(stdout).toMatch(new RegExp(`-(-|l )${option.name}`));
      }
    },
  );

  it('names the shells where it is asked for another one', async () => {
    expect(await runCli(sandbox, ['completion', 'csh'])).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr:
        'codex-authd: error: there are no completions for `csh`\ncodex-authd: hint: the shells are bash, zsh, fish\n',
    });
  });
});
