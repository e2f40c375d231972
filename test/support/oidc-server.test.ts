import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readClaims } from '../../src/core/claims.js';
import { readOutcome, type Outcome } from '../../src/core/outcome.js';
import { Secret } from '../../src/core/secret.js';
import type { BodyFormat } from '../../src/token-endpoint/request-body.js';
import { TokenEndpoint } from '../../src/token-endpoint/token-endpoint.js';
import { startOidcServer, type OidcServer } from './oidc-server.js';
import { ACCOUNT_ID, EMAIL, fingerprintOf, PLAN } from './tokens.js';

let server: OidcServer;

beforeAll(async () => {
  server = await startOidcServer({ lifetimeSeconds: 20 });
});

afterAll(() => server.close());

async function refresh(
  refreshToken: string,
  { bodyFormat = 'form', scope = server.scope }: { bodyFormat?: BodyFormat; scope?: string | null } = {},
): Promise<Outcome> {
  const client = new TokenEndpoint({
    url: server.tokenEndpoint,
    clientId: server.clientId,
    bodyFormat,
    scope,
    userAgent: 'a test',
    env: {},
  });
  return readOutcome(
    await (
      await client.prepare()
    )(
      new Secret(refreshToken),
      () => undefined,
      () => Promise.resolve(true),
    ),
    Date.now(),
  );
}

function refreshTokenOf(outcome: Outcome): string {
  if (outcome.kind !== 'rotated') throw new Error(`not rotated: ${outcome.detail}`);
  return outcome.tokens.refreshToken?.reveal() ?? '';
}

describe('the OAuth server', () => {
  it('gives a login with the claims and the lifetime of a Codex login', async () => {
    const before = Date.now();
    const login = await server.login();
    const claims = readClaims(login.access_token);
    expect(claims).toMatchObject({ accountId: ACCOUNT_ID, plan: PLAN });
    expect((claims.expiresAtMs ?? 0) - (claims.issuedAtMs ?? 0)).toBe(20_000);
    expect(claims.issuedAtMs).toBeGreaterThan(before - 1000);
    expect(readClaims(login.id_token)).toMatchObject({ accountId: ACCOUNT_ID, email: EMAIL });
  });

  it('rotates with and without a scope, and gives an id_token each time', async () => {
    const login = await server.login();
    const first = await refresh(login.refresh_token);
    const second = await refresh(refreshTokenOf(first), { scope: null });
    for (const outcome of [first, second]) {
      if (outcome.kind !== 'rotated') throw new Error(outcome.detail);
      expect(readClaims(outcome.tokens.idToken?.reveal() ?? '')).toMatchObject({ email: EMAIL, plan: PLAN });
      expect(outcome.tokens.accessToken?.reveal()).not.toBe(login.access_token);
    }
    expect(refreshTokenOf(second)).not.toBe(refreshTokenOf(first));
  });

  it('revokes the grant when a refresh token comes again', async () => {
    const login = await server.login();
    const next = refreshTokenOf(await refresh(login.refresh_token));
    expect(await refresh(login.refresh_token)).toMatchObject({ kind: 'rejected', code: 'invalid_grant' });
    expect(await refresh(next)).toMatchObject({ kind: 'rejected', code: 'invalid_grant' });
  });

  it('keeps a book of refresh requests', async () => {
    const login = await server.login();
    const from = server.refreshes.length;
    await refresh(login.refresh_token);
    await refresh(login.refresh_token);
    const fingerprint = fingerprintOf(login.refresh_token);
    expect(server.refreshes.slice(from)).toMatchObject([
      { fingerprint, outcome: 'rotated' },
      { fingerprint, outcome: 'refresh token already used' },
    ]);
  });

  it('takes no JSON body', async () => {
    const login = await server.login();
    expect(await refresh(login.refresh_token, { bodyFormat: 'json' })).toMatchObject({
      kind: 'retry',
      reason: 'refused',
    });
  });

  it('changes the lifetime of tokens on demand', async () => {
    server.lifetimeSeconds = 5;
    const { expiresAtMs, issuedAtMs } = readClaims((await server.login()).access_token);
    server.lifetimeSeconds = 20;
    expect((expiresAtMs ?? 0) - (issuedAtMs ?? 0)).toBe(5000);
  });
});
