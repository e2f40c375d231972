import type { CommandSpec, OptionSpec } from './command.js';
import { EXIT, EXIT_MEANINGS } from './exit-codes.js';

/** Options that every command takes; they may stand before it, too. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'codex-home', value: 'DIR', description: 'the directory of auth.json; $CODEX_HOME or ~/.codex' },
  { name: 'socket', value: 'PATH', description: "the daemon's socket; $CODEX_AUTHD_SOCKET" },
  { name: 'config', value: 'FILE', description: 'the configuration file; it must exist' },
  {
    name: 'account',
    value: 'NAME',
    description: 'the account that is meant; $CODEX_AUTHD_ACCOUNT or `default`',
  },
  { name: 'help', short: 'h', description: 'show help, of the command if there is one' },
  { name: 'version', short: 'V', description: 'show the version' },
];

/** The shells that there are completions for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

const JSON_OPTION: OptionSpec = { name: 'json', description: 'write JSON to stdout' };
const MIN_VALID: OptionSpec = {
  name: 'min-valid',
  value: 'SECONDS',
  description: 'rotate first if the token would not stay valid for as long; 60, at most 30 days',
};
const WAIT: OptionSpec = {
  name: 'wait',
  value: 'SECONDS',
  description: 'how long to wait for a new token; 25, at most 600',
};

const EVERY_EXIT = exits(
  EXIT.ok,
  EXIT.failure,
  EXIT.usage,
  EXIT.notRunning,
  EXIT.loginRequired,
  EXIT.timeout,
);

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'run',
    summary: 'keep auth.json fresh and serve the credential, in the foreground',
    details:
      'Writes a log, one JSON object a line, to stderr and nothing to stdout. SIGTERM and SIGINT finish a rotation in flight, then stop; a second one stops at once. SIGHUP reads the configuration again.',
    arguments: [],
    runsCommand: false,
    options: [
      {
        name: 'log-level',
        value: 'LEVEL',
        choices: ['debug', 'info', 'warn', 'error'],
        description: 'debug, info, warn or error',
      },
    ],
    examples: [
      { command: 'codex-authd run', does: 'keeps the login of ~/.codex' },
      { command: 'codex-authd run --codex-home /srv/codex', does: 'keeps another one' },
    ],
    exits: [
      { code: EXIT.ok, meaning: 'stopped by a signal' },
      { code: EXIT.failure, meaning: 'it could not start, for example because another daemon runs' },
      ...exits(EXIT.usage),
    ],
    load: () => import('./commands/run.js'),
  },
  {
    name: 'up',
    summary: 'set the daemon up and start it: the one command to begin with',
    details:
      'Says whose login it has found, installs and starts the service, and waits for a valid token. Where there is no service manager, as in most containers, it starts a process in the background, with a log in the state directory. Doing it again changes nothing.',
    arguments: [],
    runsCommand: false,
    options: [WAIT, JSON_OPTION],
    examples: [{ command: 'codex-authd up', does: 'then `codex-authd token` has one' }],
    exits: EVERY_EXIT,
    load: () => import('./commands/up.js'),
  },
  {
    name: 'down',
    summary: 'stop the daemon, however it was started',
    details:
      'A rotation in flight is finished first. A service that is installed starts again at the next login: `service uninstall` removes it.',
    arguments: [],
    runsCommand: false,
    options: [JSON_OPTION],
    examples: [{ command: 'codex-authd down', does: 'until `codex-authd up`' }],
    exits: exits(EXIT.ok, EXIT.failure, EXIT.usage, EXIT.timeout),
    load: () => import('./commands/down.js'),
  },
  {
    name: 'service',
    summary: 'install, remove, show or print the service that runs the daemon',
    details:
      'A user unit of systemd, or a launch agent: with the absolute paths of this Node and this script, the options given here, and those variables of this shell that decide what the daemon does. `install` also brings an installed one up to date, and restarts it only if something is new; while it restarts, clients wait and are not refused. `uninstall` undoes all of it, and leaves auth.json and the state directory alone.',
    arguments: [{ name: 'ACTION', required: true, description: 'install, uninstall, status or print' }],
    runsCommand: false,
    options: [{ name: 'dry-run', description: 'say what would be done, and do nothing' }, JSON_OPTION],
    examples: [
      { command: 'codex-authd service install --dry-run', does: 'says what it would do' },
      { command: 'codex-authd service install', does: 'starts it now, and at each login' },
    ],
    exits: [
      ...exits(EXIT.ok, EXIT.failure, EXIT.usage),
      { code: EXIT.notRunning, meaning: '`service status`: the service is not running' },
      ...exits(EXIT.timeout),
    ],
    load: () => import('./commands/service.js'),
  },
  {
    name: 'token',
    summary: 'print the access token',
    details:
      'Prints the token and a newline, or nothing. With --codex there is an answer or an error within 5 seconds, and a second call by the same process within 5 minutes means that the token was rejected: that is how Codex calls it.',
    arguments: [],
    runsCommand: false,
    options: [
      MIN_VALID,
      WAIT,
      { name: 'codex', description: 'as the `auth` command of a Codex model provider' },
      JSON_OPTION,
    ],
    examples: [
      {
        command: `printf 'Authorization: Bearer %s' "$(codex-authd token)" | curl -H @- URL`,
        does: 'sends a request; the token shows up in no list of processes',
      },
      { command: 'codex-authd token --min-valid 3600', does: 'wants one that is valid for an hour' },
    ],
    exits: EVERY_EXIT,
    load: () => import('./commands/token.js'),
  },
  {
    name: 'credential',
    summary: 'print the credential as JSON: token, expiry, account, base URL',
    arguments: [],
    runsCommand: false,
    options: [MIN_VALID, WAIT, { name: 'json', description: 'as without it: the output is always JSON' }],
    examples: [{ command: 'codex-authd credential', does: 'one line, or indented on a terminal' }],
    exits: EVERY_EXIT,
    load: () => import('./commands/credential.js'),
  },
  {
    name: 'status',
    summary: 'say how each account is, until when, and what to do next',
    details:
      'Shows every account, or the one that --account names. Without a daemon it says so and reads auth.json itself.',
    arguments: [],
    runsCommand: false,
    options: [JSON_OPTION],
    examples: [
      { command: 'codex-authd status', does: 'the verdict comes first' },
      { command: 'codex-authd status --json', does: 'for scripts; it holds no token' },
    ],
    exits: [
      { code: EXIT.ok, meaning: 'every account that is shown is served' },
      { code: EXIT.failure, meaning: 'an account is not served, or something failed' },
      ...exits(EXIT.usage, EXIT.notRunning),
      {
        code: EXIT.loginRequired,
        meaning: 'an account needs a person to log in, even if it is served still',
      },
      ...exits(EXIT.timeout),
    ],
    load: () => import('./commands/status.js'),
  },
  {
    name: 'refresh',
    summary: 'rotate now, and say what is new',
    arguments: [],
    runsCommand: false,
    options: [WAIT, JSON_OPTION],
    examples: [{ command: 'codex-authd refresh', does: 'at most once in 5 seconds' }],
    exits: EVERY_EXIT,
    load: () => import('./commands/refresh.js'),
  },
  {
    name: 'watch',
    summary: 'print a line for each new credential and each change of state',
    details: 'Begins with the present ones. No line holds a token.',
    arguments: [],
    runsCommand: false,
    options: [JSON_OPTION],
    examples: [{ command: 'codex-authd watch --json', does: 'one JSON object a line' }],
    exits: [
      { code: EXIT.ok, meaning: 'ended by SIGINT or SIGTERM, its only orderly end' },
      ...exits(EXIT.failure, EXIT.usage),
      { code: EXIT.notRunning, meaning: 'the daemon is not running, or went away' },
      ...exits(EXIT.timeout),
    ],
    load: () => import('./commands/watch.js'),
  },
  {
    name: 'exec',
    summary: 'run a command with the credential in its environment',
    details:
      'Sets CODEX_AUTHD_TOKEN, CODEX_AUTHD_EXPIRES_AT, CODEX_AUTHD_ACCOUNT_ID and CODEX_AUTHD_BASE_URL, CODEX_AUTHD_SOCKET and CODEX_AUTHD_ACCOUNT, with which every codex-authd in there asks the same daemon for the same account, and removes CODEX_API_KEY and CODEX_ACCESS_TOKEN. The token in there is not renewed: a command that outlives it asks the socket. Signals are passed on. A command named `codex` is given options of Codex besides (`-c model_provider=…`), with which it asks the daemon for its token whenever it needs one, whatever its config.toml says, and leaves its own login alone; a provider that is named after them wins.',
    arguments: [],
    runsCommand: true,
    options: [MIN_VALID, WAIT],
    examples: [
      { command: 'codex-authd exec -- codex exec "say hello"', does: 'needs no change in config.toml' },
      { command: 'codex-authd exec -- node consumer.js', does: 'finds the token in its environment' },
      { command: 'codex-authd exec --min-valid 3600 -- make', does: 'wants one that lasts for an hour' },
    ],
    exits: [
      { code: 'N', meaning: 'what the command ended with; 128+N if signal N ended it' },
      { code: 126, meaning: 'the command cannot be run' },
      { code: 127, meaning: 'there is no such command' },
      { code: '1-5', meaning: 'there was no credential to run it with, as for `token`' },
    ],
    load: () => import('./commands/exec.js'),
  },
  {
    name: 'codex-config',
    summary: 'print the TOML that makes Codex ask the daemon for its token',
    details:
      'It is for the config.toml in the home of Codex, and made from what the daemon serves now: run it again after a login to another account. Every Codex with that file then runs `codex-authd token --codex` at its start and after a 401.',
    arguments: [],
    runsCommand: false,
    options: [
      {
        name: 'write',
        description: 'put it into that file: in marked blocks, the rest to the byte as it was, with a backup',
      },
      { name: 'remove', description: 'take it out again; needs no daemon' },
      JSON_OPTION,
    ],
    examples: [
      { command: 'codex-authd codex-config --write', does: 'edits $CODEX_HOME/config.toml' },
      { command: 'codex-authd codex-config', does: 'shows what it would put there' },
    ],
    exits: EVERY_EXIT,
    load: () => import('./commands/codex-config.js'),
  },
  {
    name: 'publish',
    summary: 'keep an auth.json without a refresh token in a directory',
    details:
      'For sandboxes, containers and other CODEX_HOMEs that must not hold a refresh token. The daemon replaces the file at each rotation, also after a restart, and removes it when there is no valid token. It refuses a file that it did not publish, and the home of an account. The directory is made, 0700, if its parent is there.',
    arguments: [{ name: 'DIR', required: true, description: 'the directory' }],
    runsCommand: false,
    options: [{ name: 'stop', description: 'stop that, and remove the file' }, WAIT, JSON_OPTION],
    examples: [
      {
        command: 'codex-authd publish /srv/sandbox/codex-home',
        does: 'for a Codex with CODEX_HOME=/srv/sandbox/codex-home',
      },
      { command: 'codex-authd publish --stop /srv/sandbox/codex-home', does: 'ends it' },
    ],
    exits: EVERY_EXIT,
    load: () => import('./commands/publish.js'),
  },
  {
    name: 'logs',
    summary: 'show what the daemon has logged',
    details:
      'The journal of the service; where there is none, the log file of the daemon that runs in the background.',
    arguments: [],
    runsCommand: false,
    options: [
      { name: 'follow', short: 'f', description: 'go on with each new line' },
      { name: 'lines', short: 'n', value: 'COUNT', description: 'the newest of them only; 100' },
    ],
    examples: [{ command: 'codex-authd logs --follow', does: 'one JSON object a line' }],
    exits: [
      { code: EXIT.ok, meaning: 'shown' },
      { code: EXIT.failure, meaning: 'there is no log, or it cannot be read' },
      ...exits(EXIT.usage),
    ],
    load: () => import('./commands/logs.js'),
  },
  {
    name: 'doctor',
    summary: 'check everything, and name the commands that mend it',
    details:
      'Looks at Node, the configuration, the service, the socket, each auth.json with its directory and its locks, the token endpoint and the clock. Reads only: nothing is written, no lock is taken, and no token is sent. Works with and without a daemon.',
    arguments: [],
    runsCommand: false,
    options: [JSON_OPTION],
    examples: [
      { command: 'codex-authd doctor', does: 'a line for each check, and the command below it' },
      {
        command: 'codex-authd doctor --json',
        does: 'for scripts: each finding with its level',
      },
    ],
    exits: [
      { code: EXIT.ok, meaning: 'nothing fails; there may be warnings' },
      { code: EXIT.failure, meaning: 'a check fails' },
      ...exits(EXIT.usage),
    ],
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'completion',
    summary: 'print the completions for a shell',
    arguments: [{ name: 'SHELL', required: true, choices: SHELLS, description: 'bash, zsh or fish' }],
    runsCommand: false,
    options: [],
    examples: [
      {
        command: 'codex-authd completion bash',
        does: 'for `eval "$(...)"` in ~/.bashrc',
      },
      { command: 'codex-authd completion fish', does: 'for its completions directory' },
    ],
    exits: exits(EXIT.ok, EXIT.usage),
    load: () => import('./commands/completion.js'),
  },
  {
    name: 'help',
    summary: 'show help, of a command if one is named',
    arguments: [{ name: 'COMMAND', required: false, description: 'the command to explain' }],
    runsCommand: false,
    options: [{ name: 'man', description: 'print the manual page, for `man -l -`' }],
    examples: [{ command: 'codex-authd help token', does: 'the same as `codex-authd token --help`' }],
    exits: exits(EXIT.ok, EXIT.usage),
    load: () => import('./commands/help.js'),
  },
  {
    name: 'version',
    summary: 'show the version',
    arguments: [],
    runsCommand: false,
    options: [JSON_OPTION],
    examples: [],
    exits: exits(EXIT.ok, EXIT.usage),
    load: () => import('./commands/version.js'),
  },
];

export function findCommand(name: string): CommandSpec | undefined {
  return COMMANDS.find((command) => command.name === name);
}

function exits(...codes: number[]): CommandSpec['exits'] {
  return codes.map((code) => ({ code, meaning: EXIT_MEANINGS[code] ?? '' }));
}
