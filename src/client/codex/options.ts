import { AuthdError } from '../../errors.js';
import { findSocket } from '../find-socket.js';
import { codexEnvironment } from './environment.js';
import { ROUTES } from './routes.js';
import type { CodexConfig, SdkOptions } from './sdk.js';

/**
 * How Codex comes by the daemon's token.
 *
 * - `command`: it runs `codex-authd token` at the start of each turn and after a 401; a token that the server ends
 *   early is replaced within the turn.
 * - `published`: the daemon keeps an auth.json without a refresh token in the `CODEX_HOME` of `env`, and Codex reads it at
 *   the start of each turn and after a 401; for who may neither run a command nor reach the socket.
 * - `environment`: the token stands in its environment and is not renewed: for one turn, or as long as the token lasts.
 */
export type CodexRoute = 'command' | 'published' | 'environment';

/** The Codex SDK's own options, and how to reach the daemon. */
export interface CodexOptionsChoice extends SdkOptions {
  /** `command` if absent. */
  route?: CodexRoute;
  /** The daemon's socket; found as the command line finds it if absent. */
  socket?: string;
  /** The account's name; `$CODEX_AUTHD_ACCOUNT`, else `default`, if absent. */
  account?: string;
  /** Where requests go in place of the credential's own base URL, on every route. */
  baseUrl?: string;
  /** For how many seconds the token must stay valid, 0 to 30 days; 60 if absent. It matters on `environment`. */
  minValid?: number;
  /** How many seconds the daemon may wait for a new token, 0 to 600; 25 if absent. */
  wait?: number;
  signal?: AbortSignal;
  /** Has no place here: Codex would take it for a platform key, and hide the daemon's token behind it (facts 4.1). */
  apiKey?: never;
}

/** What `new Codex(…)` is to be given. */
export interface CodexOptions extends SdkOptions {
  env: Record<string, string>;
  config: CodexConfig;
}

/**
 * Options for the Codex SDK with which it works on the daemon's credential:
 * `new Codex(await codexOptions())`.
 *
 * The caller's `env` and `config` are kept and added to. `CODEX_API_KEY` and `CODEX_ACCESS_TOKEN` are taken out of the
 * environment. Where `env` is absent, Codex gets that of this process, as from the SDK itself.
 *
 * @throws AuthdError `bad_request` if options contradict each other or what the route needs; `bad_configuration`; and
 *   as `readCredential`: a login that is needed is told here, not by a 401 later
 * @throws the reason of `signal`, if that is aborted first
 */
export async function codexOptions(options: CodexOptionsChoice = {}): Promise<CodexOptions> {
  const { route = 'command', account, minValid, wait, signal, ...rest } = options;
  const { apiKey: _none, baseUrl, socket, env, config = {}, ...others } = rest;
  refuseKey(options);
  if (!Object.hasOwn(ROUTES, route)) {
    throw new AuthdError('bad_request', `there is no route ${JSON.stringify(route)}`, {
      hint: `the routes are ${Object.keys(ROUTES).join(', ')}`,
    });
  }
  const made = await ROUTES[route]({
    ask: { socket: await findSocket({ socket, env: process.env }), account, wait, signal },
    minValid,
    baseUrl: baseUrl === undefined ? undefined : checkBaseUrl(baseUrl),
    env: codexEnvironment(env ?? process.env),
    config,
    configOverrides: others.configOverrides ?? [],
  });
  return { ...others, ...made };
}

/** Who writes JavaScript is not held off by the type. */
function refuseKey(options: object): void {
  if (!('apiKey' in options) || options.apiKey === undefined) return;
  throw new AuthdError('bad_request', 'apiKey would hide the credential of the daemon from Codex', {
    hint: 'leave it out: codexOptions sets all that Codex needs',
  });
}

function checkBaseUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new AuthdError('bad_request', `baseUrl is no web address: ${JSON.stringify(url)}`, {
    hint: 'give one that begins with https:// or http://',
  });
}
