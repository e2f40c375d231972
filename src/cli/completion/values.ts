import type { ArgumentSpec, OptionSpec } from '../command.js';
import { COMMANDS, GLOBAL_OPTIONS } from '../table.js';

/** What a shell can offer for a value: names of files or directories, one of some words, or nothing. */
export type Offer = 'files' | 'directories' | 'nothing' | readonly string[];

/** What to offer for the value of an option. */
export function offerFor({ value, choices }: Pick<OptionSpec, 'value' | 'choices'>): Offer {
  return choices ?? offerByName(value ?? '');
}

/** What to offer for an operand. */
export function offerForArgument({ name, choices }: ArgumentSpec): Offer {
  if (name === 'COMMAND') return COMMANDS.map((command) => command.name);
  return choices ?? offerByName(name);
}

/** Every option that takes a value, of whatever command; the first of each name. */
export function optionsWithValue(): readonly OptionSpec[] {
  const all = [...GLOBAL_OPTIONS, ...COMMANDS.flatMap(({ options }) => options)];
  const names = all.map(({ name }) => name);
  return all.filter(({ name, value }, index) => value !== undefined && names.indexOf(name) === index);
}

function offerByName(name: string): Offer {
  if (name === 'DIR') return 'directories';
  return name === 'FILE' || name === 'PATH' ? 'files' : 'nothing';
}
