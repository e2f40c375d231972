import { resolve } from 'node:path';
import { AuthdError } from '../errors.js';
import { codexHome, type Environment } from '../os/paths.js';
import { DEFAULT_ACCOUNT } from '../protocol.js';
import { readAccountSettings, type AccountSettings } from './account-settings.js';
import type { SettingFlags } from './flags.js';
import type { AccountTable, Config } from './schema.js';
import { checkPublications, publishedDirectories } from './publications.js';
import { refuseSharedFiles } from './shared-files.js';

/** One account, with everything that is set for it. */
export interface AccountConfig extends AccountSettings {
  readonly name: string;
  /** The directory of auth.json, and of Codex's config.toml. */
  readonly codexHome: string;
  /** The directories in which its credential is published. */
  readonly publishIn: readonly string[];
}

type KeptHome = Omit<AccountConfig, 'publishIn'>;

/** What else decides where the default account lives, and where its tokens are refreshed. */
const TOKEN_VARIABLES = ['CODEX_REFRESH_TOKEN_URL_OVERRIDE', 'CODEX_APP_SERVER_LOGIN_CLIENT_ID'] as const;

/** Names of files are made of it: no separators, no upper case that some file systems take for lower, nothing hidden. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/**
 * The accounts of the configuration: each `[[account]]`, with what stands at the top of the file as its defaults; without
 * any, one that is called `default`. Flags and environment speak of `default` alone, as they do where it is the only one:
 * a variable that was meant for one login must not send the refresh tokens of another one somewhere else.
 *
 * @throws AuthdError `bad_configuration`
 */
export async function readAccounts(
  flags: SettingFlags,
  env: Environment,
  config: Config,
): Promise<readonly AccountConfig[]> {
  const accounts = checkPublications(await readTables(flags, env, config), config);
  return accounts.map((account) => ({ ...account, publishIn: publishedDirectories(config, account.name) }));
}

async function readTables(
  flags: SettingFlags,
  env: Environment,
  config: Config,
): Promise<readonly KeptHome[]> {
  const { account: tables, ...top } = accountDefaults(config);
  if (tables === undefined || tables.length === 0) return [readDefault(flags, env, top)];
  checkNames(tables.map(({ name }) => name));
  if (!tables.some(({ name }) => name === DEFAULT_ACCOUNT)) refuseOrphans(flags, env, top);
  const { codex_home: topHome, ...defaults } = top;
  const accounts = tables.map(({ name, ...table }) => {
    if (name !== DEFAULT_ACCOUNT) return { name, ...readNamed(name, { ...defaults, ...table }) };
    return readDefault(flags, env, { ...top, ...table });
  });
  await refuseSharedFiles(accounts);
  return accounts;
}

/** What of the top of the file is not for the daemon as a whole. */
function accountDefaults(config: Config): AccountTable & Pick<Config, 'account'> {
  const { socket, log_level, rotation_gap_seconds, publish, ...others } = config;
  const { notifications, on_event, on_event_token, ...defaults } = others;
  return defaults;
}

function readDefault(flags: SettingFlags, env: Environment, table: AccountTable): KeptHome {
  const [endpoint, clientId] = TOKEN_VARIABLES.map((name) => set(env[name]));
  return {
    name: DEFAULT_ACCOUNT,
    codexHome: chooseHome(flags, env, table),
    ...readAccountSettings({
      ...table,
      ...(endpoint === undefined ? {} : { token_endpoint: endpoint }),
      ...(clientId === undefined ? {} : { client_id: clientId }),
    }),
  };
}

function readNamed(name: string, table: AccountTable): Omit<KeptHome, 'name'> {
  const { codex_home: home } = table;
  if (home === undefined) {
    throw new AuthdError('bad_configuration', `the account \`${name}\` has no \`codex_home\``, {
      hint: `give it one: only \`${DEFAULT_ACCOUNT}\` can do without`,
    });
  }
  return { codexHome: home, ...readAccountSettings(table) };
}

function chooseHome(flags: SettingFlags, env: Environment, table: AccountTable): string {
  if (flags.codexHome !== undefined) return resolve(flags.codexHome);
  if (set(env['CODEX_HOME']) === undefined && table.codex_home !== undefined) return table.codex_home;
  return codexHome(env);
}

function checkNames(names: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    if (!NAME.test(name)) {
      throw new AuthdError(
        'bad_configuration',
        `${JSON.stringify(name.slice(0, 40))} is no name for an account`,
        {
          hint: 'use 1 to 32 of a-z, 0-9, `.`, `_` and `-`, and begin with a letter or a digit',
        },
      );
    }
    if (names.indexOf(name) !== index) {
      throw new AuthdError('bad_configuration', `there are two accounts named \`${name}\``, {
        hint: 'give each [[account]] a name of its own',
      });
    }
  }
}

/**
 * What speaks of `default`, where there is no such account. CODEX_HOME may do so: whoever has several homes has it in every
 * shell. To take the others for nothing would keep another home, or send refresh tokens elsewhere, than was meant.
 */
function refuseOrphans(flags: SettingFlags, env: Environment, { codex_home: home }: AccountTable): void {
  const orphans = [
    ...(flags.codexHome === undefined ? [] : ['`--codex-home`']),
    ...(home === undefined ? [] : ['`codex_home` above the accounts']),
    ...TOKEN_VARIABLES.filter((name) => set(env[name]) !== undefined),
  ];
  const [orphan] = orphans;
  if (orphan === undefined) return;
  throw new AuthdError(
    'bad_configuration',
    `${orphan} is for the account \`${DEFAULT_ACCOUNT}\`, and no [[account]] has that name`,
    { hint: `leave it out, or name one of the accounts \`${DEFAULT_ACCOUNT}\`` },
  );
}

function set(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
