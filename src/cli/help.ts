import type { CommandSpec, OptionSpec } from './command.js';
import { COMMANDS, GLOBAL_OPTIONS } from './table.js';

const WIDTH = 80;

/** The help without a command: what there is. */
export function generalHelp(): string {
  return sections([
    ["Keeps the login in Codex's auth.json fresh and hands out the current credential."],
    ['Usage: codex-authd [OPTIONS] COMMAND'],
    ['Commands:', ...rows(COMMANDS.map(({ name, summary }) => [name, summary]))],
    ['Options:', ...optionRows(GLOBAL_OPTIONS)],
    ['More on one: codex-authd help COMMAND'],
  ]);
}

/** The help of one command. */
export function commandHelp(command: CommandSpec): string {
  const { name, summary, details, options, examples, exits } = command;
  return sections([
    wrap(`codex-authd ${name}: ${summary}`, 0),
    [`Usage: codex-authd ${usageOf(command)}`],
    details === undefined ? [] : wrap(details, 0),
    titled('Arguments:', rows(command.arguments.map((argument) => [argument.name, argument.description]))),
    titled('Options:', optionRows(options)),
    titled('Options of every command:', optionRows(GLOBAL_OPTIONS)),
    titled(
      'Examples:',
      examples.flatMap(({ command: line, does }) => [`  ${line}`, `      ${does}`]),
    ),
    titled('Exit codes:', rows(exits.map(({ code, meaning }) => [String(code), meaning]))),
  ]);
}

/** For example `token [--min-valid SECONDS] [--json]`. */
export function usageOf(command: CommandSpec): string {
  const words = [command.name];
  for (const { name, value } of command.options) {
    words.push(value === undefined ? `[--${name}]` : `[--${name} ${value}]`);
  }
  for (const { name, required } of command.arguments) words.push(required ? name : `[${name}]`);
  if (command.runsCommand) words.push('-- CMD [ARGUMENT...]');
  return words.join(' ');
}

function optionRows(options: readonly OptionSpec[]): string[] {
  return rows(
    options.map(({ name, short, value, description }) => {
      const long = value === undefined ? `--${name}` : `--${name} ${value}`;
      return [short === undefined ? long : `-${short}, ${long}`, description];
    }),
  );
}

/** Two columns, the second one wrapped. */
function rows(cells: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...cells.map(([left]) => left.length));
  return cells.flatMap(([left, right]) =>
    wrap(right, width + 4).map((line, index) => {
      const margin = index === 0 ? left.padEnd(width) : ' '.repeat(width);
      return `  ${margin}  ${line}`;
    }),
  );
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}

function sections(blocks: readonly (readonly string[])[]): string {
  const shown = blocks.filter((block) => block.length > 0);
  return `${shown.map((block) => block.join('\n')).join('\n\n')}\n`;
}
