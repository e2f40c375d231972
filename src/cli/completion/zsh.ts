import type { CommandSpec, OptionSpec } from '../command.js';
import { COMMANDS, GLOBAL_OPTIONS } from '../table.js';
import { offerFor, offerForArgument, type Offer } from './values.js';

/** The completions for zsh: to be sourced after compinit, or put into a directory of its fpath as `_codex-authd`. */
export function zshCompletion(): string {
  const commands = COMMANDS.map(({ name, summary }) => quote(`${name}:${summary}`));
  return `#compdef codex-authd
# zsh completion of codex-authd: source <(codex-authd completion zsh)
_codex_authd() {
  local context state line curcontext="$curcontext"
  local -a commands
  _arguments -C \\
${GLOBAL_OPTIONS.map((option) => `    ${spec(option)} \\`).join('\n')}
    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command)
      commands=(
${commands.map((command) => `        ${command}`).join('\n')}
      )
      _describe command commands ;;
    argument)
      case $words[1] in
${COMMANDS.map((command) => `        ${command.name}) ${body(command)} ;;`).join('\n')}
      esac ;;
  esac
}
if [ "$funcstack[1]" = _codex-authd ]; then _codex_authd "$@"; else compdef _codex_authd codex-authd; fi
`;
}

function body({ options, arguments: operands, runsCommand }: CommandSpec): string {
  const specs = [...options, ...GLOBAL_OPTIONS].map(spec);
  for (const [index, operand] of operands.entries()) {
    specs.push(quote(`${String(index + 1)}:${operand.name}:${action(offerForArgument(operand))}`));
  }
  if (runsCommand) specs.push(quote('*::command:_normal'));
  return `_arguments ${specs.join(' ')}`;
}

function spec(option: OptionSpec): string {
  const { name, value, description } = option;
  const text = description.replace(/[[\]:]/g, String.raw`\$&`);
  if (value === undefined) return quote(`--${name}[${text}]`);
  return quote(`--${name}=[${text}]:${value}:${action(offerFor(option))}`);
}

function action(offer: Offer): string {
  if (offer === 'nothing') return '';
  if (offer === 'files') return '_files';
  if (offer === 'directories') return '_files -/';
  return `(${offer.join(' ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
