import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS, GLOBAL_OPTIONS } from '../../src/cli/table.js';
import { readVersion } from '../../src/version.js';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
});

afterAll(() => sandbox.remove());

describe.concurrent('help', () => {
  it('lists every command and every global option on stdout', async () => {
    const { code, stdout, stderr } = await runCli(sandbox, ['help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, summary } of COMMANDS)
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary}$`, 'm'));
    for (const { name } of GLOBAL_OPTIONS) expect(stdout).toContain(`--${name}`);
    expect(await runCli(sandbox, ['--help'])).toEqual({ code, signal: null, stdout, stderr });
    expect(await runCli(sandbox, ['-h'])).toEqual({ code, signal: null, stdout, stderr });
  });

  it('stands on stderr, with exit code 2, if there is no command at all', async () => {
    const { stdout: help } = await runCli(sandbox, ['help']);
    expect(await runCli(sandbox, [])).toEqual({ code: 2, signal: null, stdout: '', stderr: help });
    expect(await runCli(sandbox, ['--socket', '/x'])).toMatchObject({ code: 2, stdout: '' });
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    'explains %s: options, examples and exit codes, within 80 columns',
    async (name, { options, exits, examples }) => {
      const { code, stdout, stderr } = await runCli(sandbox, ['help', name]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^codex-authd ${name}: `));
      expect(stdout).toContain(`\nUsage: codex-authd ${name}`);
      for (const option of [...options, ...GLOBAL_OPTIONS]) expect(stdout).toContain(`--${option.name}`);
      for (const { code: exit } of exits) expect(stdout).toContain(`\n  ${String(exit)} `);
      for (const { command } of examples) expect(stdout).toContain(command);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(84);
      expect(await runCli(sandbox, [name, '--help'])).toMatchObject({ code: 0, stdout });
    },
  );

  it('explains a command even if the rest of the line is wrong', async () => {
    expect(await runCli(sandbox, ['token', '--bogus', 'x', '--help'])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe.concurrent('version', () => {
  it('names the version of the program and of node', async () => {
    const line = `codex-authd ${readVersion()} (node ${process.version})\n`;
    for (const args of [['version'], ['--version'], ['-V'], ['token', '--version']]) {
      expect(await runCli(sandbox, args)).toEqual({ code: 0, signal: null, stdout: line, stderr: '' });
    }
  });

  it('is data with --json', async () => {
    const { stdout } = await runCli(sandbox, ['version', '--json']);
    expect(JSON.parse(stdout)).toEqual({ version: readVersion(), node: process.version });
  });
});

describe.concurrent('a command line that is wrong', () => {
  it.each([
    [['tokne'], 'there is no command `tokne`', 'did you mean `codex-authd token`?'],
    [['stat'], 'there is no command `stat`', 'did you mean `codex-authd status`?'],
    [['frobnicate'], 'there is no command `frobnicate`', 'see `codex-authd help`'],
    [['help', 'wach'], 'there is no command `wach`', 'did you mean `codex-authd watch`?'],
    [['token', '--min-vaild', '5'], '--min-vaild is no option of `token`', 'did you mean --min-valid?'],
    [['status', '--frobnicate'], '--frobnicate is no option of `status`', 'see `codex-authd help status`'],
    [['status', '-x'], '-x is no option of `status`', 'see `codex-authd help status`'],
    [['--scoket', '/x', 'token'], '--scoket is no option', 'did you mean --socket?'],
    [
      ['--min-valid', '5', 'token'],
      '--min-valid stands before the command that it belongs to',
      'write `codex-authd token --min-valid`',
    ],
    [['status', '--min-valid', '5'], '--min-valid is no option of `status`', 'see `codex-authd help status`'],
    [['token', '--socket'], '--socket needs a value: --socket PATH', 'see `codex-authd help token`'],
    [
      ['token', '--socket', '--json'],
      '--socket needs a value: --socket PATH',
      'see `codex-authd help token`',
    ],
    [['token', '--socket='], '--socket needs a value: --socket PATH', 'see `codex-authd help token`'],
    [['token', '--json=yes'], '--json takes no value', 'see `codex-authd help token`'],
    [['token', 'now'], '`token` takes no argument `now`', 'see `codex-authd help token`'],
    [['token', '--', 'now'], '`token` takes no argument `now`', 'see `codex-authd help token`'],
  ])('%j: one error, one hint, exit code 2', async (args, error, hint) => {
    expect(await runCli(sandbox, args)).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: `codex-authd: error: ${error}\ncodex-authd: hint: ${hint}\n`,
    });
  });
});
