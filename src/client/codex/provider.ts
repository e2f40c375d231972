import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AuthdError } from '../../errors.js';
import { CODEX_REFRESH_INTERVAL_SECONDS, type CredentialBody } from '../../protocol.js';

/** The provider's id in Codex's configuration. */
export const PROVIDER_ID = 'codex-authd';

/** The header that says to which account a ChatGPT token belongs (facts 4.1). */
export const ACCOUNT_HEADER = 'ChatGPT-Account-ID';

/** What every provider of ours says, however it comes by its token: a table `model_providers.<id>` of Codex. */
export interface Provider {
  readonly name: string;
  readonly base_url: string;
  readonly wire_api: 'responses';
  /** Else Codex tries five times to open a websocket before it asks over HTTP (facts 4.2). */
  readonly supports_websockets: false;
  /** Left out where there is no account to name: an API key, a personal access token. */
  readonly http_headers?: { readonly [ACCOUNT_HEADER]: string };
}

/** A provider that asks the daemon for the token: Codex runs the command at start, and again after a 401. */
export interface CommandProvider extends Provider {
  readonly auth: {
    readonly command: string;
    readonly args: readonly string[];
    readonly timeout_ms: number;
    readonly refresh_interval_ms: number;
  };
}

/** A provider whose token stands in Codex's environment: nothing renews it there (facts 4.4). */
export interface EnvironmentProvider extends Provider {
  readonly env_key: string;
}

/** Codex's own default (facts 4.2), written down because `token --codex` is made to keep within it. */
const COMMAND_TIMEOUT_MS = 5000;

/** The program beside this library, found from `dist` as from `src`. */
const PROGRAM = fileURLToPath(new URL('../../../bin/codex-authd.js', import.meta.url));

/** A provider that takes the token from the auth.json in Codex's home, and the account with it. */
export interface HomeProvider extends Provider {
  readonly requires_openai_auth: true;
}

/** Which credential the provider stands for. */
export interface ProviderChoice {
  readonly credential: Pick<CredentialBody, 'account_id' | 'base_url'>;
  /** In place of the credential's own base URL. */
  readonly baseUrl?: string | undefined;
}

function describeProvider({ credential, baseUrl }: ProviderChoice): Provider {
  const { account_id: accountId, base_url: ownBaseUrl } = credential;
  return {
    name: 'codex-authd',
    base_url: baseUrl ?? ownBaseUrl,
    wire_api: 'responses',
    supports_websockets: false,
    ...(accountId === null ? {} : { http_headers: { [ACCOUNT_HEADER]: accountId } }),
  };
}

/** @param variable the environment variable that holds the token */
export function environmentProvider(choice: ProviderChoice, variable: string): EnvironmentProvider {
  return { ...describeProvider(choice), env_key: variable };
}

/** @param baseUrl where Codex's own provider would not send the token */
export function homeProvider(baseUrl: string): HomeProvider {
  const credential = { account_id: null, base_url: baseUrl };
  return { ...describeProvider({ credential }), requires_openai_auth: true };
}

/** Where the command finds the daemon. */
export interface CommandChoice extends ProviderChoice {
  readonly credential: Pick<CredentialBody, 'account' | 'account_id' | 'base_url'>;
  /** Absolute: Codex runs the command in a directory of its own choice. */
  readonly socket: string;
}

/**
 * The command-backed provider (facts 4.2). The command is this very node and this very package, whatever PATH says
 * where Codex runs; and it names the account of the credential, whatever CODEX_AUTHD_ACCOUNT says there: the token must
 * fit the header.
 *
 * @throws AuthdError `bad_configuration` if the program does not lie where it should
 */
export function commandProvider({ socket, ...choice }: CommandChoice): CommandProvider {
  if (!existsSync(PROGRAM)) {
    throw new AuthdError('bad_configuration', `the program codex-authd is not at ${PROGRAM}`, {
      hint: 'leave the package codex-authd out of the bundle, so that Codex can run its program',
    });
  }
  return {
    ...describeProvider(choice),
    auth: {
      command: process.execPath,
      args: [PROGRAM, 'token', '--codex', '--socket', socket, '--account', choice.credential.account],
      timeout_ms: COMMAND_TIMEOUT_MS,
      refresh_interval_ms: CODEX_REFRESH_INTERVAL_SECONDS * 1000,
    },
  };
}
