import { realpath } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../os/paths.js';

/** How a service manager starts the daemon: this Node, this script, and what the caller's shell says of the accounts. */
export interface DaemonCommand {
  /** Absolute. */
  readonly node: string;
  /** Absolute. */
  readonly script: string;
  /** `run` and its options; paths are absolute. */
  readonly args: readonly string[];
  /** The variables of the caller that decide what the daemon does; a service manager knows none of them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where clients look for the daemon. Absolute. */
  readonly socket: string;
}

/** The settings that the command line gave. */
interface Flags {
  readonly codexHome?: string;
  readonly socket?: string;
  readonly config?: string;
}

/** Relative to where the caller is: nobody who starts a service is there. */
const PATHS = [
  ...['CODEX_HOME', 'CODEX_AUTHD_SOCKET', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME'],
  ...['CODEX_CA_CERTIFICATE', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'],
];
/** Several paths in one variable. */
const PATH_LISTS = ['SSL_CERT_DIR'];
const WORDS = [
  ...['CODEX_REFRESH_TOKEN_URL_OVERRIDE', 'CODEX_APP_SERVER_LOGIN_CLIENT_ID'],
  ...['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'],
  ...['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'],
];

/** The command that starts the daemon as this program, called like this, would run it. */
export async function describeDaemon(flags: Flags, env: Environment, socket: string): Promise<DaemonCommand> {
  const args = ['run'];
  if (flags.codexHome !== undefined) args.push('--codex-home', resolve(flags.codexHome));
  if (flags.config !== undefined) args.push('--config', resolve(flags.config));
  if (flags.socket !== undefined) args.push('--socket', resolve(flags.socket));
  const environment: Record<string, string> = {};
  const take = (names: readonly string[], read: (value: string) => string): void => {
    for (const name of names) {
      const value = env[name];
      if (value !== undefined && value !== '') environment[name] = read(value);
    }
  };
  take(PATHS, (path) => resolve(path));
  take(PATH_LISTS, (paths) =>
    paths
      .split(delimiter)
      .map((path) => resolve(path))
      .join(delimiter),
  );
  take(WORDS, (word) => word);
  return {
    node: await realpath(process.execPath),
    script: await realpath(fileURLToPath(new URL('../../bin/codex-authd.js', import.meta.url))),
    args,
    environment,
    socket,
  };
}

/** Directories that somebody else cleans up or replaces: version managers and the cache of npx. */
const PASSING =
  /\/(\.nvm|\.fnm|fnm_multishells|\.volta|\.asdf|\.nodenv|\.n|mise\/installs|_npx|\.pnpm-store)\//;

/** The paths of a command that may be gone tomorrow. */
export function passingPaths({ node, script }: DaemonCommand): string[] {
  return [node, script].filter((path) => PASSING.test(path));
}
