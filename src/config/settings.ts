import { dirname, resolve } from 'node:path';
import { CODEX_BASE_URLS, type BaseUrls } from '../core/login.js';
import { DEFAULT_POLICY, type RefreshPolicy } from '../core/plan.js';
import { AuthdError } from '../errors.js';
import { chooseSocket, codexHome, configPath, stateDirectory, type Environment } from '../os/paths.js';
import { DEFAULT_ACCOUNT } from '../protocol.js';
import type { BodyFormat } from '../token-endpoint/request-body.js';
import type { SettingFlags } from './flags.js';
import { readConfig } from './read-config.js';
import { checkPublications, publishedDirectories } from './publications.js';
import type { Config } from './schema.js';
import { checkBaseUrl, checkTokenEndpoint } from './urls.js';

/** Everything that can be set, worked out: flags, then environment, then the configuration file, then defaults. */
export interface Settings {
  readonly socketPath: string;
  readonly stateDirectory: string;
  readonly logLevel: LogLevel;
  readonly accounts: readonly AccountConfig[];
}

export interface AccountConfig {
  readonly name: string;
  /** The directory of auth.json, and of Codex's config.toml. */
  readonly codexHome: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly bodyFormat: BodyFormat;
  readonly scope: string | null;
  readonly baseUrls: BaseUrls;
  readonly policy: RefreshPolicy;
  /** The directories in which its credential is published. */
  readonly publishIn: readonly string[];
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What Codex uses (facts 2.1). */
const CODEX_TOKEN_ENDPOINT = 'https://auth.openai.com/oauth/token';
const CODEX_CLIENT_ID = 'app_EMoamEEZ73f0CkXaXp7hrann';

/** @throws AuthdError `bad_configuration` */
export async function readSettings(flags: SettingFlags, env: Environment): Promise<Settings> {
  const path = resolve(flags.config ?? configPath(env));
  const file = await readConfig(path, flags.config === undefined ? 'optional' : 'required');
  const config = resolvePaths(file, dirname(path));
  return {
    socketPath: await chooseSocket({ named: flags.socket, env, configured: () => config.socket }),
    stateDirectory: stateDirectory(env),
    logLevel: readLogLevel(flags.logLevel ?? config.log_level),
    accounts: checkPublications([readAccount(flags, env, config)], config),
  };
}

/** A relative path in the file counts from the file's directory, wherever the daemon was started. */
function resolvePaths(config: Config, directory: string): Config {
  const { socket, codex_home: home, publish } = config;
  return {
    ...config,
    ...(publish === undefined
      ? {}
      : { publish: publish.map((each) => ({ ...each, directory: resolve(directory, each.directory) })) }),
    ...(socket === undefined ? {} : { socket: resolve(directory, socket) }),
    ...(home === undefined ? {} : { codex_home: resolve(directory, home) }),
  };
}

function readAccount(flags: SettingFlags, env: Environment, config: Config): AccountConfig {
  const tokenEndpoint = set(env['CODEX_REFRESH_TOKEN_URL_OVERRIDE']) ?? config.token_endpoint;
  return {
    name: DEFAULT_ACCOUNT,
    codexHome: chooseHome(flags, env, config),
    tokenEndpoint: checkTokenEndpoint(tokenEndpoint ?? CODEX_TOKEN_ENDPOINT),
    clientId: set(env['CODEX_APP_SERVER_LOGIN_CLIENT_ID']) ?? config.client_id ?? CODEX_CLIENT_ID,
    bodyFormat: config.body_format ?? 'json',
    scope: config.scope ?? null,
    baseUrls: {
      chatgpt: chooseBaseUrl('chatgpt_base_url', config) ?? CODEX_BASE_URLS.chatgpt,
      platform: chooseBaseUrl('platform_base_url', config) ?? CODEX_BASE_URLS.platform,
    },
    policy: readPolicy(config),
    publishIn: publishedDirectories(config, DEFAULT_ACCOUNT),
  };
}

function chooseHome(flags: SettingFlags, env: Environment, config: Config): string {
  if (flags.codexHome !== undefined) return resolve(flags.codexHome);
  if (set(env['CODEX_HOME']) === undefined && config.codex_home !== undefined) return config.codex_home;
  return codexHome(env);
}

function readPolicy(settings: Config): RefreshPolicy {
  const ms = (seconds: number | undefined, fallbackMs: number): number =>
    seconds === undefined ? fallbackMs : seconds * 1000;
  const base = DEFAULT_POLICY;
  return {
    leadFraction: settings.lead_fraction ?? base.leadFraction,
    leadMinMs: ms(settings.lead_min_seconds, base.leadMinMs),
    leadMaxMs: ms(settings.lead_max_seconds, base.leadMaxMs),
    jitterFraction: settings.jitter_fraction ?? base.jitterFraction,
    minAgeMs: ms(settings.min_age_seconds, base.minAgeMs),
    unreadableExpiryAfterMs: ms(settings.unreadable_expiry_after_seconds, base.unreadableExpiryAfterMs),
    lastSafeMomentMs: ms(settings.last_safe_moment_seconds, base.lastSafeMomentMs),
    backoffMinMs: ms(settings.backoff_min_seconds, base.backoffMinMs),
    backoffMaxMs: ms(settings.backoff_max_seconds, base.backoffMaxMs),
    offlineRetryMs: ms(settings.offline_retry_seconds, base.offlineRetryMs),
    demandIntervalMs: ms(settings.demand_interval_seconds, base.demandIntervalMs),
    rejectionIntervalMs: ms(settings.rejection_interval_seconds, base.rejectionIntervalMs),
  };
}

function chooseBaseUrl(
  setting: 'chatgpt_base_url' | 'platform_base_url',
  config: Config,
): string | undefined {
  const url = config[setting];
  return url === undefined ? undefined : checkBaseUrl(setting, url);
}

function readLogLevel(level: string | undefined): LogLevel {
  const known = LOG_LEVELS.find((name) => name === (level ?? 'info'));
  if (known !== undefined) return known;
  throw new AuthdError('bad_configuration', `there is no log level \`${level ?? ''}\``, {
    hint: `the levels are ${LOG_LEVELS.join(', ')}`,
  });
}

function set(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
