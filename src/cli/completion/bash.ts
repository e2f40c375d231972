import type { CommandSpec, OptionSpec } from '../command.js';
import { COMMANDS, GLOBAL_OPTIONS } from '../table.js';
import { offerFor, offerForArgument, optionsWithValue, type Offer } from './values.js';

/** The completions for bash, also for the 3.2 of macOS: to be sourced. */
export function bashCompletion(): string {
  const valued = optionsWithValue();
  return `# bash completion of codex-authd: eval "$(codex-authd completion bash)"
_codex_authd_offer() {
  local each
  while IFS= read -r each; do COMPREPLY+=("$each"); done < <(compgen "$@")
}
_codex_authd_names() {
  compopt -o filenames 2>/dev/null
  _codex_authd_offer "$1" -- "$2"
}
_codex_authd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' value='' word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $value ]]; then value=''; continue; fi
    case $word in
      --) case $command in ${runners()}) _codex_authd_names -c "$cur"; return ;; esac ;;
      ${valued.map(({ name }) => `--${name}`).join('|')}) value=1 ;;
      -*) ;;
      *) [[ -n $command ]] || command=$word ;;
    esac
  done
  case $prev in
${valued.map((option) => `    --${option.name}) ${offering(offerFor(option))}return ;;`).join('\n')}
  esac
  case $command in
    '') _codex_authd_offer -W '${words(GLOBAL_OPTIONS)} ${COMMANDS.map(({ name }) => name).join(' ')}' -- "$cur" ;;
${COMMANDS.map((command) => `    ${command.name}) ${body(command)};;`).join('\n')}
  esac
}
complete -F _codex_authd codex-authd
`;
}

function body({ options, arguments: operands, runsCommand }: CommandSpec): string {
  const flags = `${words([...options, ...GLOBAL_OPTIONS])}${runsCommand ? ' --' : ''}`;
  const [operand] = operands;
  const offered = `if [[ $cur == -* ]]; then _codex_authd_offer -W '${flags}' -- "$cur"; else `;
  const others =
    operand === undefined
      ? `_codex_authd_offer -W '${flags}' -- "$cur"; `
      : offering(offerForArgument(operand));
  return `${offered}${others === '' ? ': ; ' : others}fi `;
}

function offering(offer: Offer): string {
  if (offer === 'nothing') return '';
  if (offer === 'files') return '_codex_authd_names -f "$cur"; ';
  if (offer === 'directories') return '_codex_authd_names -d "$cur"; ';
  return `_codex_authd_offer -W '${offer.join(' ')}' -- "$cur"; `;
}

function words(options: readonly OptionSpec[]): string {
  return options.map(({ name }) => `--${name}`).join(' ');
}

/** The commands after whose \`--\` another command line begins. */
function runners(): string {
  return COMMANDS.filter(({ runsCommand }) => runsCommand)
    .map(({ name }) => name)
    .join('|');
}
