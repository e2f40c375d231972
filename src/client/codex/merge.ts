import { AuthdError } from '../../errors.js';
import { ACCOUNT_HEADER, PROVIDER_ID, type Provider } from './provider.js';
import { isTable, type CodexConfig, type CodexConfigValue } from './sdk.js';

/** Every way in which a provider of Codex may come by a token: there can be one only (facts 4.2). */
const AUTHENTICATIONS = ['auth', 'env_key', 'requires_openai_auth', 'experimental_bearer_token'];

/** Codex's own provider, whose id nobody else can have (facts 4.2). */
const OWN_PROVIDER_ID = 'openai';

/** What the caller may say otherwise in the provider's table. */
const OPEN = ['name', 'supports_websockets'];

/**
 * The caller's configuration with the provider in it and chosen. Everything else stays: other providers, and what
 * the caller adds to the table of ours (`request_max_retries`, more headers, …).
 *
 * @throws AuthdError `bad_request` where the caller's configuration says the contrary
 */
export function withProvider(
  config: CodexConfig,
  configOverrides: readonly string[],
  provider: Provider,
): CodexConfig {
  refuseChoice(config, configOverrides, PROVIDER_ID);
  const providers = config['model_providers'] ?? {};
  if (!isTable(providers)) throw noTable('config.model_providers');
  return {
    ...config,
    model_provider: PROVIDER_ID,
    model_providers: { ...providers, [PROVIDER_ID]: mergeProvider(providers[PROVIDER_ID], provider) },
  };
}

/**
 * The caller's configuration where Codex's own provider takes the token to ChatGPT: it must be the one that is used.
 *
 * @throws AuthdError `bad_request` where the caller's configuration says the contrary
 */
export function withOwnProvider(config: CodexConfig, configOverrides: readonly string[]): CodexConfig {
  refuseChoice(config, configOverrides, OWN_PROVIDER_ID);
  return config;
}

/**
 * The same with Codex's own login out of the way. It looks after that even while a provider of ours has the token, and
 * refreshes what has less than 5 minutes left (measured with both versions): the very race that the daemon is there to
 * end. A store in memory, of which nothing is read and into which nothing is written, leaves auth.json alone. Where the
 * caller has named a store, that stays.
 */
export function withoutLogin(config: CodexConfig): CodexConfig {
  return { ...NO_LOGIN, ...config };
}

/** What keeps Codex from its login, as a setting. */
export const NO_LOGIN = { cli_auth_credentials_store: 'ephemeral' } as const;

function refuseChoice(config: CodexConfig, configOverrides: readonly string[], meant: string): void {
  const chosen = config['model_provider'];
  if (chosen !== undefined && chosen !== meant) throw contradiction('config.model_provider');
  for (const override of configOverrides) {
    const [key = ''] = override.split('=', 1);
    if (key.trim() === 'model_provider') throw contradiction('`model_provider` in configOverrides');
  }
}

function mergeProvider(theirs: CodexConfigValue = {}, ours: Provider): CodexConfig {
  const where = `config.model_providers.${PROVIDER_ID}`;
  if (!isTable(theirs)) throw noTable(where);
  const headers = theirs['http_headers'] ?? {};
  if (!isTable(headers)) throw noTable(`${where}.http_headers`);
  const { http_headers: ourHeaders = {}, ...rest } = ours;
  const closed = [...Object.keys(rest), ...AUTHENTICATIONS].filter((key) => !OPEN.includes(key));
  for (const key of closed) if (theirs[key] !== undefined) throw contradiction(`${where}.${key}`);
  for (const name of Object.keys(headers)) {
    const isOurs = [ACCOUNT_HEADER, 'Authorization'].some((own) => own.toLowerCase() === name.toLowerCase());
    if (isOurs) throw contradiction(`${where}.http_headers.${name}`);
  }
  const allHeaders = { ...headers, ...ourHeaders };
  return {
    ...asTable(rest),
    ...theirs,
    ...(Object.keys(allHeaders).length === 0 ? {} : { http_headers: allHeaders }),
  };
}

/** A provider as a table of the configuration: the SDK's types know no readonly arrays. */
function asTable(provider: object): CodexConfig {
  return structuredClone(provider) as CodexConfig;
}

function contradiction(what: string): AuthdError {
  return new AuthdError('bad_request', `${what} contradicts what codexOptions sets`, {
    hint: 'leave it out; `route` and `baseUrl` say how and where Codex asks',
  });
}

function noTable(what: string): AuthdError {
  return new AuthdError('bad_request', `${what} is no table`, { hint: 'give an object' });
}
