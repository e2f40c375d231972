import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { exportJWK, generateKeyPair } from 'jose';
import type { LoginTokens } from './login-file.js';
import { logIn } from './oidc-login.js';
import { ACCOUNT_ID, EMAIL, fingerprintOf, PLAN } from './tokens.js';

/** A refresh request as the server saw it. */
export interface RefreshRequest {
  readonly atMs: number;
  /** Of the refresh token. */
  readonly fingerprint: string;
  /** `rotated`, or the server's error description. */
  readonly outcome: string;
}

/** A real OAuth server on a loopback port: oidc-provider (facts 5.12). */
export interface OidcServer extends AsyncDisposable {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  /** What a login is granted, and what a refresh may ask for. */
  readonly scope: string;
  /** Every refresh request since the start. */
  readonly refreshes: readonly RefreshRequest[];
  /** Of the access tokens that it issues from now on, in seconds. */
  lifetimeSeconds: number;
  /** Logs in as a person with a browser would: authorization code and PKCE. */
  readonly login: () => Promise<LoginTokens>;
  readonly close: () => Promise<void>;
}

const CLIENT_ID = 'codex-authd-test';
const REDIRECT_URI = 'http://127.0.0.1:1455/auth/callback';
const SCOPE = 'openid email offline_access';
const RESOURCE = 'https://api.openai.com/v1';
const AUTH_CLAIM = 'https://api.openai.com/auth';

const CODEX_CLAIMS = {
  chatgpt_account_id: ACCOUNT_ID,
  chatgpt_plan_type: PLAN,
  chatgpt_user_id: 'user-7f3b',
};

/**
 * Starts the server: JWT access tokens with Codex's claims (facts 1.4), refresh tokens that are rotated, and the
 * whole grant revoked when one is used again. It takes form bodies only, as RFC 6749 has it.
 */
export async function startOidcServer({ lifetimeSeconds = 20 } = {}): Promise<OidcServer> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const issuer = `http://127.0.0.1:${String(address.port)}`;

  const refreshes: RefreshRequest[] = [];
  const settings = { lifetimeSeconds };
  const provider = await makeProvider(issuer, settings);
  keepBook(provider, refreshes);
  const answer = provider.callback();
  listener.on('request', (request, response) => void answer(request, response));

  const close = async (): Promise<void> => {
    if (!listener.listening) return;
    const closed = once(listener, 'close');
    listener.close();
    listener.closeAllConnections();
    await closed;
  };
  return {
    issuer,
    tokenEndpoint: `${issuer}/token`,
    clientId: CLIENT_ID,
    scope: SCOPE,
    refreshes,
    get lifetimeSeconds() {
      return settings.lifetimeSeconds;
    },
    set lifetimeSeconds(seconds) {
      settings.lifetimeSeconds = seconds;
    },
    login: async () => ({
      ...(await logIn({ issuer, clientId: CLIENT_ID, redirectUri: REDIRECT_URI, scope: SCOPE })),
      account_id: ACCOUNT_ID,
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function makeProvider(
  issuer: string,
  settings: { readonly lifetimeSeconds: number },
): Promise<Provider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const configuration: Configuration = {
    clients: [
      {
        client_id: CLIENT_ID,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: [REDIRECT_URI],
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'test' }] },
    cookies: { keys: ['a key that only the tests know'] },
    scopes: ['openid', 'email', 'offline_access'],
    claims: { openid: ['sub', AUTH_CLAIM], email: ['email', 'email_verified'] },
    findAccount: (_context, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, email: EMAIL, email_verified: true, [AUTH_CLAIM]: CODEX_CLAIMS }),
    }),
    extraTokenClaims: () => ({ [AUTH_CLAIM]: CODEX_CLAIMS }),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: () => settings.lifetimeSeconds,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 3600,
    },
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          audience: RESOURCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: settings.lifetimeSeconds,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
  return withoutAdvice(async () => {
    const oidc = await import('oidc-provider');
    return new oidc.Provider(issuer, configuration);
  });
}

/** The provider warns of what is right for a test: Node 20, a store in memory, logins without a password. */
async function withoutAdvice<T>(make: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = (...messages: unknown[]) => {
    if (!String(messages[0]).includes('oidc-provider WARNING')) warn(...messages);
  };
  try {
    return await make();
  } finally {
    console.warn = warn;
  }
}

function keepBook(provider: Provider, refreshes: RefreshRequest[]): void {
  const book = (context: KoaContextWithOIDC, outcome: string): void => {
    const { grant_type: grantType, refresh_token: refreshToken } = context.oidc.params ?? {};
    if (grantType !== 'refresh_token') return;
    refreshes.push({ atMs: Date.now(), fingerprint: fingerprintOf(String(refreshToken)), outcome });
  };
  provider.on('grant.success', (context) => {
    book(context, 'rotated');
  });
  provider.on('grant.error', (context, error) => {
    book(context, error.error_detail ?? error.error_description ?? error.error);
  });
}
