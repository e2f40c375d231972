import { readCredential } from '../credential.js';
import { withoutLogin, withProvider } from './merge.js';
import { commandProvider, environmentProvider } from './provider.js';
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
  const provider = commandProvider({ credential, baseUrl, socket: ask.socket, account: ask.account });
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

export const ROUTES = { command: takeCommand, environment: takeEnvironment } as const;
