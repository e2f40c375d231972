import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
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

const VARIABLES = [
  ...['CODEX_HOME', 'CODEX_AUTHD_SOCKET', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME'],
  ...['CODEX_REFRESH_TOKEN_URL_OVERRIDE', 'CODEX_APP_SERVER_LOGIN_CLIENT_ID'],
  ...['CODEX_CA_CERTIFICATE', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS'],
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
  for (const name of VARIABLES) {
    const value = env[name];
    if (value !== undefined && value !== '') environment[name] = value;
  }
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
