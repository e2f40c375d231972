import { readVersion } from '../version.js';
import type { CommandSpec, OptionSpec } from './command.js';
import { EXIT_MEANINGS } from './exit-codes.js';
import { usageOf } from './help.js';
import { COMMANDS, GLOBAL_OPTIONS } from './table.js';

/** When what the page says last changed. */
const MANUAL_DATE = '2026-11-23';

/** The manual page, as roff with the man macros. */
export function manPage(): string {
  const lines = [
    '.\\" Made by `npm run man`; what it says comes from src/cli/table.ts.',
    `.TH CODEX-AUTHD 1 ${MANUAL_DATE} "codex-authd ${readVersion()}" "User Commands"`,
    '.SH NAME',
    "codex\\-authd \\- keeps the login in Codex's auth.json fresh and hands out the current credential",
    '.SH SYNOPSIS',
    '.B codex\\-authd',
    escape('[OPTIONS] COMMAND'),
    '.SH OPTIONS',
    'These may stand before or after every command.',
    ...GLOBAL_OPTIONS.flatMap(option),
    '.SH COMMANDS',
    ...COMMANDS.flatMap(command),
    '.SH EXIT STATUS',
    ...Object.entries(EXIT_MEANINGS).flatMap(([code, meaning]) => tagged(code, meaning)),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, meaning]) => tagged(name, meaning)),
    '.SH FILES',
    ...FILES.flatMap(([name, meaning]) => tagged(name, meaning)),
  ];
  return `${lines.join('\n')}\n`;
}

const ENVIRONMENT = [
  ['CODEX_HOME', 'the directory of auth.json, as for Codex; ~/.codex'],
  ['CODEX_AUTHD_SOCKET', "the daemon's socket"],
  ['CODEX_REFRESH_TOKEN_URL_OVERRIDE', 'the token endpoint, as for Codex'],
  ['CODEX_APP_SERVER_LOGIN_CLIENT_ID', 'the client id, as for Codex'],
  ['HTTPS_PROXY, NO_PROXY', 'the proxy to the token endpoint, and the hosts that need none'],
  ['CODEX_CA_CERTIFICATE, SSL_CERT_FILE', 'a PEM file with certificates to trust beside the usual ones'],
  ['NO_COLOR', 'no colour, also on a terminal'],
] as const;

const FILES = [
  ['~/.codex/auth.json', 'the login'],
  ['$XDG_CONFIG_HOME/codex-authd/config.toml', 'the configuration; ~/.config by default'],
  ['$XDG_STATE_HOME/codex-authd/', 'journals and generation numbers; ~/.local/state by default'],
  ['$XDG_RUNTIME_DIR/codex-authd/authd.sock', 'the socket'],
] as const;

function command(spec: CommandSpec): string[] {
  const { name, summary, details, examples, exits } = spec;
  return [
    `.SS "${escape(name)}"`,
    `.B ${escape(`codex-authd ${usageOf(spec)}`)}`,
    '.PP',
    escape(sentence(summary)),
    ...(details === undefined ? [] : ['.PP', escape(details)]),
    ...spec.arguments.flatMap((argument) => tagged(argument.name, argument.description)),
    ...spec.options.flatMap(option),
    ...(examples.length === 0 ? [] : ['.PP', 'Examples:']),
    ...examples.flatMap((example) => tagged(example.command, example.does)),
    '.PP',
    escape(`Exit status: ${exits.map(({ code, meaning }) => `${String(code)}, ${meaning}`).join('; ')}.`),
  ];
}

function option({ name, short, value, description }: OptionSpec): string[] {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return tagged(short === undefined ? long : `-${short}, ${long}`, description);
}

function tagged(tag: string, text: string): string[] {
  return ['.TP', `.B ${escape(tag)}`, escape(text)];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** Roff takes a dash for a hyphen, an accent for a quote, and a line that begins with a dot for a command. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq')
    .replaceAll('"', '\\(dq')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replace(/^\./, '\\&.');
}
