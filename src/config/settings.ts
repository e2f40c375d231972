import { dirname, resolve } from 'node:path';
import { AuthdError } from '../errors.js';
import type { NoticeSettings } from '../notices/settings.js';
import { chooseSocket, configPath, stateDirectory, type Environment } from '../os/paths.js';
import { readAccounts, type AccountConfig } from './accounts.js';
import type { SettingFlags } from './flags.js';
import { readConfig } from './read-config.js';
import type { Config } from './schema.js';

/** Everything that can be set, worked out: flags, then environment, then the configuration file, then defaults. */
export interface Settings {
  readonly socketPath: string;
  readonly stateDirectory: string;
  readonly logLevel: LogLevel;
  /** Between planned rotations of different accounts, in milliseconds. */
  readonly rotationGapMs: number;
  readonly notices: NoticeSettings;
  /** At least one; no two with the same name or the same auth.json. */
  readonly accounts: readonly AccountConfig[];
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const DEFAULT_ROTATION_GAP_SECONDS = 2;

/** @throws AuthdError `bad_configuration` */
export async function readSettings(flags: SettingFlags, env: Environment): Promise<Settings> {
  const path = resolve(flags.config ?? configPath(env));
  const file = await readConfig(path, flags.config === undefined ? 'optional' : 'required');
  const config = resolvePaths(file, dirname(path));
  return {
    socketPath: await chooseSocket({ named: flags.socket, env, configured: () => config.socket }),
    stateDirectory: stateDirectory(env),
    logLevel: readLogLevel(flags.logLevel ?? config.log_level),
    rotationGapMs: (config.rotation_gap_seconds ?? DEFAULT_ROTATION_GAP_SECONDS) * 1000,
    notices: {
      desktop: config.notifications ?? true,
      onEvent: config.on_event ?? null,
      withToken: config.on_event_token ?? false,
    },
    accounts: await readAccounts(flags, env, config),
  };
}

/** A relative path in the file counts from the file's directory, wherever the daemon was started. */
function resolvePaths(config: Config, directory: string): Config {
  const { socket, account, publish } = config;
  return {
    ...resolveHome(config, directory),
    ...(publish === undefined
      ? {}
      : { publish: publish.map((each) => ({ ...each, directory: resolve(directory, each.directory) })) }),
    ...(socket === undefined ? {} : { socket: resolve(directory, socket) }),
    ...(account === undefined ? {} : { account: account.map((table) => resolveHome(table, directory)) }),
  };
}

function resolveHome<T extends Pick<Config, 'codex_home'>>(table: T, directory: string): T {
  const { codex_home: home } = table;
  return home === undefined ? table : { ...table, codex_home: resolve(directory, home) };
}

function readLogLevel(level: string | undefined): LogLevel {
  const known = LOG_LEVELS.find((name) => name === (level ?? 'info'));
  if (known !== undefined) return known;
  throw new AuthdError('bad_configuration', `there is no log level \`${level ?? ''}\``, {
    hint: `the levels are ${LOG_LEVELS.join(', ')}`,
  });
}
