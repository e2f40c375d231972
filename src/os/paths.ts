import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The environment that paths are worked out from; an empty variable counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `$CODEX_HOME`, else `~/.codex`, as Codex itself finds it (facts 1.1). */
export function codexHome(env: Environment): string {
  return resolve(present(env['CODEX_HOME']) ?? join(home(env), '.codex'));
}

/** The socket's path: `$CODEX_AUTHD_SOCKET`, else in the runtime directory, else in the state directory. */
export function socketPath(env: Environment, platform: NodeJS.Platform = process.platform): string {
  const named = present(env['CODEX_AUTHD_SOCKET']);
  if (named !== undefined) return resolve(named);
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
