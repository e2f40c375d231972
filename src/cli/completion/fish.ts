import type { CommandSpec, OptionSpec } from '../command.js';
import { COMMANDS, GLOBAL_OPTIONS } from '../table.js';
import { offerFor, offerForArgument, type Offer } from './values.js';

/** The completions for fish: to be sourced, or put into its completions as `codex-authd.fish`. */
export function fishCompletion(): string {
  return `${[
    '# fish completion of codex-authd: codex-authd completion fish | source',
    'complete -c codex-authd -f',
    ...GLOBAL_OPTIONS.map((option) => line(spec(option))),
    ...COMMANDS.map(({ name, summary }) =>
      line(`-n __fish_use_subcommand -a ${quote(name)} -d ${quote(summary)}`),
    ),
    ...COMMANDS.flatMap(linesOf),
  ].join('\n')}\n`;
}

function linesOf({ name, options, arguments: operands, runsCommand }: CommandSpec): string[] {
  const within = `-n ${quote(`__fish_seen_subcommand_from ${name}`)}`;
  return [
    ...options.map((option) => line(`${within} ${spec(option)}`)),
    ...operands.flatMap((operand) => {
      const offered = offering(offerForArgument(operand));
      return offered === '' ? [] : [line(`${within} ${offered}`)];
    }),
    ...(runsCommand ? [line(`${within} -a '(__fish_complete_subcommand)'`)] : []),
  ];
}

function spec(option: OptionSpec): string {
  const { name, short, value, description } = option;
  const dash = short === undefined ? '' : `-s ${short} `;
  const head = `${dash}-l ${name} -d ${quote(description)}`;
  if (value === undefined) return head;
  const offer = offerFor(option);
  return offer === 'files' ? `${head} -r -F` : `${head} -x ${offering(offer)}`.trimEnd();
}

function offering(offer: Offer): string {
  if (offer === 'nothing') return '';
  if (offer === 'files') return '-F';
  if (offer === 'directories') return "-a '(__fish_complete_directories)'";
  return `-a ${quote(offer.join(' '))}`;
}

function line(rest: string): string {
  return `complete -c codex-authd ${rest}`;
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, String.raw`\$&`)}'`;
}
