import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readClaims } from '../../src/core/claims.js';
import { readLogin } from '../../src/core/login.js';
import { readOutcome, type Outcome } from '../../src/core/outcome.js';
import { Secret } from '../../src/core/secret.js';
import { TokenEndpoint } from '../../src/token-endpoint/token-endpoint.js';
import type { BodyFormat } from '../../src/token-endpoint/request-body.js';
import { chatgptFile } from './login-file.js';
import * as answers from './scripted-answers.js';
import { CODEX_CLIENT_ID, StrictTokenEndpoint } from './strict-token-endpoint.js';
import { ACCOUNT_ID, EMAIL, fingerprintOf, PLAN } from './tokens.js';

let endpoint: StrictTokenEndpoint;

beforeEach(async () => {
  endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 600 });
});

afterEach(() => endpoint.close());

async function refresh(refreshToken: string, bodyFormat: BodyFormat = 'json'): Promise<Outcome> {
  const client = new TokenEndpoint({
    url: endpoint.url,
    bodyFormat,
    clientId: CODEX_CLIENT_ID,
    scope: null,
    userAgent: 'a test',
    env: {},
    longestAnswerMs: 5000,
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

async function rotate(refreshToken: string): Promise<{ access: string; refresh: string }> {
  const outcome = await refresh(refreshToken);
  if (outcome.kind !== 'rotated') throw new Error(`not rotated: ${outcome.detail}`);
  const { accessToken, refreshToken: next } = outcome.tokens;
  return { access: accessToken?.reveal() ?? '', refresh: next?.reveal() ?? '' };
}

describe('the strict token endpoint', () => {
  it('gives a new pair for a refresh token, in both body formats', async () => {
    const login = endpoint.login();
    const first = await rotate(login.refresh_token);
    const second = await refresh(first.refresh, 'form');
    expect(second.kind).toBe('rotated');
    expect(endpoint.requests).toMatchObject([
      { format: 'json', outcome: 'rotated', spent: true, userAgent: 'a test' },
      { format: 'form', outcome: 'rotated', spent: true, fingerprint: fingerprintOf(first.refresh) },
    ]);
    expect(endpoint.sentTwice()).toEqual([]);
  });

  it('issues logins that Codex would take', () => {
    const login = readLogin(chatgptFile(endpoint.login()));
    expect(login).toMatchObject({
      kind: 'chatgpt',
      email: EMAIL,
      credential: { accountId: ACCOUNT_ID, plan: PLAN },
    });
  });

  it('ends the whole login when a refresh token comes again', async () => {
    const login = endpoint.login();
    const other = endpoint.login();
    const { refresh: next } = await rotate(login.refresh_token);
    expect(await refresh(login.refresh_token)).toMatchObject({
      kind: 'rejected',
      code: 'refresh_token_reused',
    });
    expect(await refresh(next)).toMatchObject({ kind: 'rejected', code: 'refresh_token_invalidated' });
    expect(endpoint.isAlive(other.refresh_token)).toBe(true);
    expect(endpoint.sentTwice()).toEqual([fingerprintOf(login.refresh_token)]);
  });

  it('ends the whole login when it is told of a logout, with any of its refresh tokens', async () => {
    const login = endpoint.login();
    const next = await rotate(login.refresh_token);
    const body = JSON.stringify({ token: login.refresh_token, token_type_hint: 'refresh_token' });
    const url = endpoint.url.replace('/token', '/revoke');
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    expect((await fetch(url, init)).status).toBe(200);
    expect(endpoint.isAlive(next.refresh)).toBe(false);
    expect(endpoint.verifyAccessToken(next.access, Date.now())).toBe(true);
    expect(endpoint.honoursAccessToken(next.access, Date.now())).toBe(false);
    expect(endpoint.requests.at(-1)).toMatchObject({ outcome: 'revoked' });
  });

  it('knows whether an access token was valid at a moment', async () => {
    const { access } = await rotate(endpoint.login().refresh_token);
    const { expiresAtMs } = readClaims(access);
    expect(endpoint.verifyAccessToken(access, (expiresAtMs ?? 0) - 1)).toBe(true);
    expect(endpoint.verifyAccessToken(access, expiresAtMs ?? 0)).toBe(false);
    expect(endpoint.verifyAccessToken('another', 0)).toBe(false);
  });

  it('refuses another client, another grant and a body that is neither JSON nor a form', async () => {
    const good = { client_id: CODEX_CLIENT_ID, grant_type: 'refresh_token', refresh_token: 'x' };
    const bodies = [
      { ...good, client_id: 'other' },
      { ...good, grant_type: 'password' },
      { ...good, refresh_token: 7 },
    ];
    for (const body of bodies) {
      const response = await fetch(endpoint.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(400);
    }
    expect((await fetch(endpoint.url, { method: 'POST', body: 'what' })).status).toBe(400);
    expect(endpoint.requests.map(({ outcome }) => outcome)).toEqual(Array(4).fill('malformed'));
  });

  it('holds an answer back until it is let go', async () => {
    const gate = endpoint.holdNext();
    const { refresh_token: refreshToken } = endpoint.login();
    let isAnswered = false;
    const answer = refresh(refreshToken).finally(() => (isAnswered = true));
    expect(await gate.arrived).toMatchObject({ outcome: 'rotated' });
    expect(endpoint.isAlive(refreshToken)).toBe(false);
    expect(isAnswered).toBe(false);
    gate.open();
    expect((await answer).kind).toBe('rotated');
  });

  it('tells of a request that is still to come, and of one that has been', async () => {
    const next = endpoint.nextRequest();
    await rotate(endpoint.login().refresh_token);
    expect(await next).toBe(endpoint.requests[0]);
    expect(await endpoint.request(1)).toBe(endpoint.requests[0]);
  });

  it('rotates for another process without a request, and ends logins by itself', async () => {
    const login = endpoint.login();
    const next = endpoint.rotateElsewhere(login.refresh_token);
    expect(endpoint.requests).toEqual([]);
    endpoint.endLogin(next.refresh_token, 'expired');
    expect(await refresh(next.refresh_token)).toMatchObject({ code: 'refresh_token_expired' });
  });
});

describe('a scripted answer', () => {
  const cases: readonly (readonly [answers.ScriptedAnswer, Outcome['kind'], isAliveAfter: boolean])[] = [
    [answers.html(), 'unknown', true],
    [answers.emptyObject(), 'unknown', false],
    [answers.withoutAccessToken(), 'rotated', false],
    [answers.withoutRefreshToken(), 'rotated', true],
    [answers.withoutIdToken(), 'rotated', false],
    [answers.wrongContentType(), 'rotated', false],
    [answers.withLifetime(-5), 'rotated', false],
    [answers.huge(), 'unknown', false],
    [answers.status(300), 'retry', true],
    [answers.status(400), 'retry', true],
    [answers.status(401), 'rejected', true],
    [answers.status(403), 'retry', true],
    [answers.status(500), 'unknown', true],
    [answers.status(502), 'unknown', true],
    [answers.status(503, { 'retry-after': '3' }), 'retry', true],
    [answers.error('invalid_grant', 400), 'rejected', true],
    [answers.rateLimited('7'), 'retry', true],
    [answers.redirect(), 'retry', true],
    [answers.resetBeforeAnswer(), 'unknown', false],
    [answers.cutMidBody(), 'unknown', false],
    [answers.cutAfterBody(), 'rotated', false],
  ];
  for (const [index, [answer, kind, isAliveAfter]] of cases.entries()) {
    it(`${String(index + 1)}: ${answer.name} is ${kind} to the client`, async () => {
      const { refresh_token: refreshToken } = endpoint.login();
      endpoint.answerNext(answer);
      expect(await refresh(refreshToken)).toMatchObject({ kind });
      expect(endpoint.requests).toMatchObject([{ outcome: answer.name, spent: !isAliveAfter }]);
      expect(endpoint.isAlive(refreshToken)).toBe(isAliveAfter);
    });
  }

  it('holds for one request; the next one is answered as usual', async () => {
    endpoint.answerNext(answers.status(500), answers.status(503));
    const { refresh_token: refreshToken } = endpoint.login();
    const kinds = [await refresh(refreshToken), await refresh(refreshToken), await refresh(refreshToken)];
    expect(kinds.map(({ kind }) => kind)).toEqual(['unknown', 'retry', 'rotated']);
  });

  it('holds for all requests when it is the one for everything else', async () => {
    endpoint.otherwise = answers.status(503);
    const { refresh_token: refreshToken } = endpoint.login();
    expect((await refresh(refreshToken)).kind).toBe('retry');
    expect((await refresh(refreshToken)).kind).toBe('retry');
  });

  it('of silence lasts until it is broken', async () => {
    endpoint.answerNext(answers.silence());
    const arrived = endpoint.nextRequest();
    const answer = refresh(endpoint.login().refresh_token);
    await arrived;
    endpoint.breakSilence();
    expect((await answer).kind).toBe('unknown');
  });
});
