import { resolve } from 'node:path';
import { CODEX_BASE_URLS } from '../../core/base-urls.js';
import { AuthdError } from '../../errors.js';
import { readCredential } from '../credential.js';
import { publish } from '../published.js';
import { withoutLogin, withOwnProvider, withProvider } from './merge.js';
import { commandProvider, environmentProvider, homeProvider } from './provider.js';
import type { CodexConfig } from './sdk.js';

/** What a route is worked out from; the options have been looked at by then. */
export interface RouteRequest {
  readonly ask: {
    readonly socket: string;
    readonly account: string | undefined;
    readonly wait: number | undefined;
    readonly signal: AbortSignal | undefined;
  };
  readonly minValid: number | undefined;
  readonly baseUrl: string | undefined;
  /** For Codex: without what would hide the credential. */
  readonly env: Record<string, string>;
  readonly config: CodexConfig;
  readonly configOverrides: readonly string[];
}

interface RouteOptions {
  readonly env: Record<string, string>;
  readonly config: CodexConfig;
}

/** The variable that holds the token on the route `environment`; `codex-authd exec` sets the same one. */
const TOKEN_VARIABLE = 'CODEX_AUTHD_TOKEN';

/** Codex asks the daemon for the token, through a command. */
async function takeCommand(request: RouteRequest): Promise<RouteOptions> {
  const { ask, minValid, baseUrl, env, config, configOverrides } = request;
  const credential = await readCredential({ ...ask, minValid });
  const provider = commandProvider({ credential, baseUrl, socket: ask.socket });
  return { env, config: withoutLogin(withProvider(config, configOverrides, provider)) };
}

/** The token stands in the environment. */
async function takeEnvironment(request: RouteRequest): Promise<RouteOptions> {
  const { ask, minValid, baseUrl, env, config, configOverrides } = request;
  const credential = await readCredential({ ...ask, minValid });
  const provider = environmentProvider({ credential, baseUrl }, TOKEN_VARIABLE);
  return {
    env: { ...env, [TOKEN_VARIABLE]: credential.access_token },
    config: withoutLogin(withProvider(config, configOverrides, provider)),
  };
}

/**
 * The token lies in Codex's home, where the daemon keeps it (facts 4.3). Codex's own provider takes it to ChatGPT and to
 * nobody else.
 */
async function takePublished(request: RouteRequest): Promise<RouteOptions> {
  const { ask, minValid, env, config, configOverrides } = request;
  const home = env['CODEX_HOME'];
  if (home === undefined || home === '') {
    throw new AuthdError('bad_request', 'the route `published` needs a CODEX_HOME in `env`', {
      hint: 'give Codex a directory of its own, other than the home whose login the daemon keeps',
    });
  }
  // Codex may be started in another directory than this process.
  const directory = resolve(home);
  const baseUrl = request.baseUrl ?? (await readCredential({ ...ask, minValid })).base_url;
  const own = baseUrl === CODEX_BASE_URLS.chatgpt;
  const made = own
    ? withOwnProvider(config, configOverrides)
    : withProvider(config, configOverrides, homeProvider(baseUrl));
  // Last: what is published stays so, and nothing should be that cannot be used.
  await publish({ ...ask, directory });
  return { env: { ...env, CODEX_HOME: directory }, config: { ...LOGIN_IN_FILE, ...made } };
}

/** Codex reads the published file, and no keyring. */
const LOGIN_IN_FILE = { cli_auth_credentials_store: 'file' } as const;

export const ROUTES = {
  command: takeCommand,
  published: takePublished,
  environment: takeEnvironment,
} as const;
