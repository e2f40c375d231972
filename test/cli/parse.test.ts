import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/cli/nearest.js';
import { parseCommandLine, type Call } from '../../src/cli/parse.js';
import { readSeconds } from '../../src/cli/seconds.js';
import { COMMANDS, GLOBAL_OPTIONS } from '../../src/cli/table.js';
import { AuthdError } from '../../src/errors.js';

function callOf(...argv: string[]): Call {
  const parsed = parseCommandLine(argv);
  if (parsed.kind !== 'command') throw new Error(`no command, but ${parsed.kind}`);
  return parsed.call;
}

describe('a command line', () => {
  it('gives the same whether a global flag stands before or after the command', () => {
    const call = callOf('token', '--socket', '/s', '--codex-home=/c', '--config', '/f', '--account', 'a');
    expect(call).toEqual({
      settings: { socket: '/s', codexHome: '/c', config: '/f' },
      account: 'a',
      json: false,
      switches: new Set(),
      options: { socket: '/s', 'codex-home': '/c', config: '/f', account: 'a' },
      operands: [],
      rest: [],
    });
    expect(callOf('--account', 'a', '--config', '/f', '--socket', '/s', 'token', '--codex-home=/c')).toEqual(
      call,
    );
    expect(callOf('--socket=/s', '--account', 'a', '--codex-home', '/c', '--config', '/f', 'token')).toEqual(
      call,
    );
  });

  it('takes the name of a command for the value of an option where one is due', () => {
    expect(callOf('--account', 'token', 'status')).toMatchObject({ account: 'token' });
  });

  it('takes the last of two values', () => {
    expect(callOf('token', '--wait', '1', '--wait', '2').options).toEqual({ wait: '2' });
  });

  it('takes a value that begins with a dash only after =', () => {
    expect(callOf('token', '--account=-x').account).toBe('-x');
    expect(() => callOf('token', '--account', '-x')).toThrow('--account needs a value');
  });

  it('hands the log level of `run` on as a setting', () => {
    expect(callOf('run', '--log-level', 'debug').settings).toEqual({ logLevel: 'debug' });
    expect(() => callOf('token', '--log-level', 'debug')).toThrow('--log-level is no option of `token`');
  });

  it('leaves what follows -- to exec, untouched, and gives it to no other command', () => {
    expect(callOf('exec', '--wait', '3', '--', 'a', '--wait', '4', '--', '-h')).toMatchObject({
      options: { wait: '3' },
      rest: ['a', '--wait', '4', '--', '-h'],
    });
    expect(callOf('help', '--', 'token')).toMatchObject({ operands: ['token'], rest: [] });
  });

  it.each([[[]], [['--']], [['--socket', '/s']], [['--', 'token']]])('%j has no command', (argv) => {
    expect(parseCommandLine(argv)).toEqual({ kind: 'nothing' });
  });

  it('asks for help or the version wherever that stands', () => {
    expect(parseCommandLine(['--help'])).toEqual({ kind: 'help', command: undefined });
    expect(parseCommandLine(['-h', 'token'])).toMatchObject({ kind: 'help', command: { name: 'token' } });
    expect(parseCommandLine(['token', '--bogus', '-h'])).toMatchObject({ kind: 'help' });
    expect(parseCommandLine(['--version'])).toEqual({ kind: 'version' });
    expect(parseCommandLine(['exec', '--', 'ls', '--help'])).toMatchObject({ kind: 'command' });
  });

  it('is refused with a code, a message and a hint', () => {
    expect(() => parseCommandLine(['tokn'])).toThrow(
      new AuthdError('usage', 'there is no command `tokn`', { hint: 'did you mean `codex-authd token`?' }),
    );
  });
});

describe('a number of seconds', () => {
  it('is a whole one, from 0 to the longest', () => {
    expect(readSeconds({ wait: '0' }, 'wait', 600)).toBe(0);
    expect(readSeconds({ wait: '600' }, 'wait', 600)).toBe(600);
    expect(readSeconds({}, 'wait', 600)).toBe(undefined);
  });

  it.each(['-1', '1.5', 'abc', '601', '1e3', '0x10', ' 1', '9999999999999999999999'])('is not %j', (text) => {
    expect(() => readSeconds({ wait: text }, 'wait', 600)).toThrow(
      `--wait is not a number of seconds: ${text}`,
    );
  });
});

describe('the nearest match', () => {
  const names = ['run', 'token', 'credential', 'status', 'refresh', 'watch'];

  it.each([
    ['tokne', 'token'],
    ['otken', 'token'],
    ['credentials', 'credential'],
    ['statsu', 'status'],
    ['cred', 'credential'],
    ['rn', 'run'],
    ['xyz', undefined],
    ['', undefined],
    ['t', undefined],
  ])('of %j is %s', (word, meant) => {
    expect(nearest(word, names)).toBe(meant);
  });

  it('is none where two would do as a beginning', () => {
    expect(nearest('stat', ['statistics', 'stationary'])).toBe(undefined);
  });
});

describe('the table of commands', () => {
  it('names each command once, and no option twice', () => {
    const names = COMMANDS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { options } of COMMANDS) {
      const all = [...GLOBAL_OPTIONS, ...options].map(({ name }) => name);
      expect(new Set(all).size).toBe(all.length);
    }
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    'loads %s, and has examples that parse',
    async (_name, command) => {
      const { run } = await command.load();
      expect(run).toBeTypeOf('function');
      for (const { command: line } of command.examples) {
        const words = /codex-authd ([^)`"]*)/.exec(line)?.[1]?.split(' ') ?? [];
        expect(parseCommandLine(words)).toMatchObject({ kind: 'command', command: { name: command.name } });
      }
    },
  );
});
