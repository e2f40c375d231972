import { parseArgs } from 'node:util';
import type { SettingFlags } from '../config/flags.js';
import { AuthdError } from '../errors.js';
import type { CommandSpec, Invocation, OptionSpec } from './command.js';
import { nearest } from './nearest.js';
import { COMMANDS, findCommand, GLOBAL_OPTIONS } from './table.js';

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: 'command'; readonly command: CommandSpec; readonly call: Call }
  | { readonly kind: 'help'; readonly command: CommandSpec | undefined }
  | { readonly kind: 'version' }
  /** No command at all. */
  | { readonly kind: 'nothing' };

/** The part of an {@link Invocation} that the command line decides. */
export type Call = Omit<Invocation, 'env' | 'output'>;

const SETTINGS = {
  'codex-home': 'codexHome',
  socket: 'socket',
  config: 'config',
  'log-level': 'logLevel',
} as const satisfies Record<string, keyof SettingFlags>;

/**
 * Reads a command line, without the node and script names.
 *
 * @throws AuthdError `usage`, with the nearest match as the hint if something is misspelt
 */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const end = argv.indexOf('--');
  const head = end === -1 ? [...argv] : argv.slice(0, end);
  const rest = end === -1 ? [] : argv.slice(end + 1);

  const at = findCommandIndex(head);
  const name = at === -1 ? undefined : head[at];
  const command = name === undefined ? undefined : findCommand(name);
  if (name !== undefined && command === undefined) throw unknownCommand(name);
  const words = head.filter((_word, index) => index !== at);
  const given = readOptions(words, command);
  if (given.switches.has('help')) return { kind: 'help', command };
  if (given.switches.has('version')) return { kind: 'version' };
  if (given.problem !== undefined) throw given.problem;
  if (command === undefined) return { kind: 'nothing' };

  const operands = command.runsCommand ? given.operands : [...given.operands, ...rest];
  checkOperands(command, operands, rest, end !== -1);
  return {
    kind: 'command',
    command,
    call: {
      settings: settingsOf(given.values),
      account: given.values['account'],
      json: given.switches.has('json'),
      options: given.values,
      switches: given.switches,
      operands,
      rest: command.runsCommand ? rest : [],
    },
  };
}

/** The error for a command that does not exist. */
export function unknownCommand(name: string): AuthdError {
  const meant = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  return new AuthdError('usage', `there is no command \`${name}\``, {
    hint: meant === undefined ? 'see `codex-authd help`' : `did you mean \`codex-authd ${meant}\`?`,
  });
}

/** The first word that is no option and no value of one: only global options may stand before it. */
function findCommandIndex(words: string[]): number {
  const { tokens } = tokenize(words, GLOBAL_OPTIONS);
  for (const token of tokens) {
    if (token.kind === 'positional') return token.index;
    if (token.kind === 'option' && !GLOBAL_OPTIONS.some((option) => option.name === token.name)) {
      throw strayOption(token.rawName, words);
    }
  }
  return -1;
}

interface Given {
  readonly values: Record<string, string>;
  readonly switches: ReadonlySet<string>;
  readonly operands: readonly string[];
  /** The first thing that is wrong; it does not matter to whoever asks for help. */
  readonly problem: AuthdError | undefined;
}

function readOptions(words: string[], command: CommandSpec | undefined): Given {
  const specs = [...GLOBAL_OPTIONS, ...(command?.options ?? [])];
  const values: Record<string, string> = {};
  const switches = new Set<string>();
  const operands: string[] = [];
  let problem: AuthdError | undefined;
  for (const token of tokenize(words, specs).tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = specs.find((option) => option.name === token.name);
    if (spec === undefined) {
      problem ??= unknownOption(token.rawName, specs, command);
    } else if (spec.value === undefined) {
      switches.add(spec.name);
      if (token.value !== undefined) problem ??= usage(`--${spec.name} takes no value`, command);
    } else if (isMissing(token.value, token.inlineValue)) {
      problem ??= usage(`--${spec.name} needs a value: --${spec.name} ${spec.value}`, command);
    } else {
      values[spec.name] = token.value ?? '';
    }
  }
  return { values, switches, operands, problem };
}

/** `--socket --json` is more likely a forgotten value than a socket of that name; `--socket=--json` is one. */
function isMissing(value: string | undefined, inline: boolean | undefined): boolean {
  return value === undefined || value === '' || (inline !== true && value.startsWith('-'));
}

function tokenize(words: string[], specs: readonly OptionSpec[]) {
  const options = Object.fromEntries(
    specs.map(({ name, short, value }) => [
      name,
      {
        type: value === undefined ? 'boolean' : 'string',
        ...(short === undefined ? {} : { short }),
      } as const,
    ]),
  );
  return parseArgs({ args: words, options, strict: false, allowPositionals: true, tokens: true });
}

function checkOperands(
  command: CommandSpec,
  operands: readonly string[],
  rest: readonly string[],
  separated: boolean,
): void {
  const surplus = operands[command.arguments.length];
  if (surplus !== undefined) {
    throw command.runsCommand
      ? usage(`the command to run must follow \`--\``, command)
      : usage(`\`${command.name}\` takes no argument \`${surplus}\``, command);
  }
  if (command.arguments.some(({ required }, index) => required && operands[index] === undefined)) {
    throw usage(`\`${command.name}\` needs an argument`, command);
  }
  if (command.runsCommand && rest.length === 0) {
    throw usage(separated ? 'there is no command after `--`' : 'the command to run is missing', command);
  }
}

function settingsOf(values: Readonly<Record<string, string>>): SettingFlags {
  const settings: { -readonly [Key in keyof SettingFlags]: SettingFlags[Key] } = {};
  for (const [option, setting] of Object.entries(SETTINGS)) {
    const value = values[option];
    if (value !== undefined) settings[setting] = value;
  }
  return settings;
}

function unknownOption(
  raw: string,
  specs: readonly OptionSpec[],
  command: CommandSpec | undefined,
): AuthdError {
  const meant = nearest(
    raw,
    specs.map((option) => `--${option.name}`),
  );
  const where = command === undefined ? 'option' : `option of \`${command.name}\``;
  return new AuthdError('usage', `${raw} is no ${where}`, {
    hint: meant === undefined ? seeHelp(command) : `did you mean ${meant}?`,
  });
}

/** An option before the command that is not a global one. */
function strayOption(raw: string, words: readonly string[]): AuthdError {
  const owner = COMMANDS.find(
    ({ name, options }) => words.includes(name) && options.some((option) => `--${option.name}` === raw),
  );
  if (owner === undefined) return unknownOption(raw, GLOBAL_OPTIONS, undefined);
  return new AuthdError('usage', `${raw} stands before the command that it belongs to`, {
    hint: `write \`codex-authd ${owner.name} ${raw}\``,
  });
}

function usage(message: string, command: CommandSpec | undefined): AuthdError {
  return new AuthdError('usage', message, { hint: seeHelp(command) });
}

function seeHelp(command: CommandSpec | undefined): string {
  return command === undefined ? 'see `codex-authd help`' : `see \`codex-authd help ${command.name}\``;
}
