import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The environment that paths are worked out from; an empty variable counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `$CODEX_HOME`, else `~/.codex`, as Codex itself finds it (facts 1.1). */
export function codexHome(env: Environment): string {
  return resolve(present(env['CODEX_HOME']) ?? join(home(env), '.codex'));
}

/** The longest path that fits a socket address; Node cuts a longer one off in silence (facts 5.6). */
export const LONGEST_SOCKET_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;

/** Where the path of the socket may come from. */
export interface SocketSources {
  /** As the caller names it; wins over everything. */
  readonly named: string | undefined;
  readonly env: Environment;
  /** `socket` of the configuration file, absolute; asked for only where nothing above names one. */
  readonly configured: () => string | undefined | Promise<string | undefined>;
  readonly platform?: NodeJS.Platform;
}

/** The socket's path: as named, else `$CODEX_AUTHD_SOCKET`, else as configured, else the default. */
export async function chooseSocket(sources: SocketSources): Promise<string> {
  const { named, env, configured, platform = process.platform } = sources;
  const given = named ?? present(env['CODEX_AUTHD_SOCKET']);
  if (given !== undefined) return resolve(given);
  return (await configured()) ?? defaultSocket(env, platform);
}

/** In the runtime directory, else in the state directory. */
function defaultSocket(env: Environment, platform: NodeJS.Platform): string {
  if (platform === 'darwin') {
    return join(home(env), 'Library', 'Application Support', 'codex-authd', 'authd.sock');
  }
  const runtime = present(env['XDG_RUNTIME_DIR']);
  if (runtime !== undefined) return join(runtime, 'codex-authd', 'authd.sock');
  return join(home(env), '.local', 'state', 'codex-authd', 'run', 'authd.sock');
}

/** The configuration file: `$XDG_CONFIG_HOME/codex-authd/config.toml`, `~/.config` by default. */
export function configPath(env: Environment): string {
  return join(present(env['XDG_CONFIG_HOME']) ?? join(home(env), '.config'), 'codex-authd', 'config.toml');
}

/** The directory of generation numbers and journals: `$XDG_STATE_HOME/codex-authd`, `~/.local/state` by default. */
export function stateDirectory(env: Environment): string {
  return join(present(env['XDG_STATE_HOME']) ?? join(home(env), '.local', 'state'), 'codex-authd');
}

function home(env: Environment): string {
  return present(env['HOME']) ?? homedir();
}

function present(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
