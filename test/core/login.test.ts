import { describe, expect, it } from 'vitest';
import { CODEX_BASE_URLS } from '../../src/core/base-urls.js';
import { loginIn, readLogin } from '../../src/core/login.js';
import type { SettledReading } from '../../src/core/reading.js';
import { REASONS } from '../../src/core/reasons.js';
import { apiKeyFile, chatgptFile, formatFile, makeLoginTokens } from '../support/login-file.js';
import { holdsForAll } from '../support/property.js';
import { ACCOUNT_ID, EMAIL, makeJwt, PLAN, signJwt } from '../support/tokens.js';
import { anyAuthFile, anyText, anyValue } from './arbitraries.js';

const ISSUED_AT_MS = Date.parse('2026-11-20T08:00:00Z');
const tokens = makeLoginTokens({ issuedAtMs: ISSUED_AT_MS, lifetimeSeconds: 3600 });

describe('a ChatGPT login', () => {
  it('is read as Codex wrote it', () => {
    const login = readLogin(chatgptFile(tokens, { lastRefreshMs: ISSUED_AT_MS + 5000 }));
    if (login.kind !== 'chatgpt') throw new Error(login.kind);
    expect(login.credential.accessToken.reveal()).toBe(tokens.access_token);
    expect(login.refreshToken.reveal()).toBe(tokens.refresh_token);
    expect(login).toMatchObject({
      email: EMAIL,
      lastRefreshMs: ISSUED_AT_MS + 5000,
      credential: {
        accountId: ACCOUNT_ID,
        plan: PLAN,
        issuedAtMs: ISSUED_AT_MS,
        expiresAtMs: ISSUED_AT_MS + 3_600_000,
        baseUrl: 'https://chatgpt.com/backend-api/codex',
      },
    });
  });

  it('is recognised without auth_mode', () => {
    expect(readLogin(formatFile({ OPENAI_API_KEY: null, tokens })).kind).toBe('chatgpt');
  });

  it('takes the account from the file, and from the tokens where that names none', () => {
    const silent = signJwt({ exp: 2e9 });
    const named = { ...tokens, access_token: silent, id_token: silent, account_id: 'acct-in-file' };
    expect(readLogin(chatgptFile(named))).toMatchObject({ credential: { accountId: 'acct-in-file' } });
    for (const account_id of [undefined, null, '', 7]) {
      const login = readLogin(formatFile({ auth_mode: 'chatgpt', tokens: { ...tokens, account_id } }));
      expect(login).toMatchObject({ credential: { accountId: ACCOUNT_ID } });
    }
  });

  it('is none if the access token is of another account than the file names, as Codex 0.163 can leave it', () => {
    const others = makeLoginTokens({ claims: { accountId: 'acct-other' } });
    const mixed = [
      { ...others, account_id: ACCOUNT_ID },
      { ...tokens, access_token: others.access_token },
      { ...tokens, access_token: 'opaque', id_token: others.id_token },
    ];
    for (const each of mixed) {
      const login = readLogin(chatgptFile(each));
      expect(login).toMatchObject({ kind: 'none', reason: 'mixed_accounts' });
      expect(JSON.stringify(login)).not.toMatch(/acct-/);
    }
    // An id_token that was not renewed decides nothing: no consumer is given it.
    expect(readLogin(chatgptFile({ ...tokens, id_token: others.id_token }))).toMatchObject({
      credential: { accountId: ACCOUNT_ID },
    });
  });

  it('is served also where the access token is opaque, with an expiry that nobody knows', () => {
    const login = readLogin(
      chatgptFile({ ...tokens, access_token: 'opaque' }, { lastRefreshMs: ISSUED_AT_MS }),
    );
    expect(login).toMatchObject({ credential: { expiresAtMs: null, issuedAtMs: ISSUED_AT_MS, plan: PLAN } });
  });

  it('is served also where the id_token is missing or no JWT', () => {
    for (const id_token of [undefined, 7, 'opaque']) {
      const login = readLogin(formatFile({ auth_mode: 'chatgpt', tokens: { ...tokens, id_token } }));
      expect(login).toMatchObject({ kind: 'chatgpt', email: EMAIL, credential: { plan: PLAN } });
    }
  });

  it('has no last refresh where that is missing or no instant', () => {
    for (const last_refresh of [undefined, null, 7, '', 'yesterday']) {
      expect(readLogin(formatFile({ tokens, last_refresh }))).toMatchObject({ lastRefreshMs: null });
    }
  });
});

describe('a static login', () => {
  it('is an API key, served at the platform', () => {
    const login = readLogin(apiKeyFile('sk-proj-1'));
    expect(login).toMatchObject({
      kind: 'api_key',
      credential: { expiresAtMs: null, accountId: null, baseUrl: 'https://api.openai.com/v1' },
    });
    expect(login.kind === 'api_key' && login.credential.accessToken.reveal()).toBe('sk-proj-1');
  });

  it('is a personal access token', () => {
    const login = readLogin(formatFile({ auth_mode: 'personalAccessToken', personal_access_token: 'at-1' }));
    expect(login).toMatchObject({ kind: 'personal_access_token', credential: { expiresAtMs: null } });
  });

  it('is told from a ChatGPT login by its mode, not by what else is in the file', () => {
    expect(readLogin(chatgptFile(tokens, { more: { OPENAI_API_KEY: 'sk-proj-1' } })).kind).toBe('chatgpt');
    expect(readLogin(formatFile({ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-proj-1', tokens })).kind).toBe(
      'api_key',
    );
    expect(readLogin(formatFile({ OPENAI_API_KEY: 'sk-proj-1', tokens })).kind).toBe('api_key');
  });
});

describe('what is no login says why', () => {
  const cases: readonly (readonly [why: string, text: string, reason: string])[] = [
    ['a file with nothing in it', '', 'not_json'],
    ['half a file', chatgptFile(tokens).slice(0, 200), 'not_json'],
    ['two documents', '{}{}', 'not_json'],
    ['a byte order mark', `\uFEFF${chatgptFile(tokens)}`, 'byte_order_mark'],
    ['an array', '[]', 'wrong_shape'],
    ['null', 'null', 'wrong_shape'],
    ['a string', '"auth"', 'wrong_shape'],
    ['an empty object', '{}', 'no_login'],
    ['an API key that is null', formatFile({ OPENAI_API_KEY: null }), 'no_login'],
    ['the mode apikey without a key', formatFile({ auth_mode: 'apikey', OPENAI_API_KEY: '' }), 'no_login'],
    ['an API key that is a number', formatFile({ auth_mode: 'apikey', OPENAI_API_KEY: 7 }), 'wrong_shape'],
    ['the mode chatgpt without tokens', formatFile({ auth_mode: 'chatgpt', tokens: null }), 'no_login'],
    ['tokens that are a list', formatFile({ tokens: [tokens] }), 'wrong_shape'],
    ['no access token', formatFile({ tokens: { refresh_token: 'r' } }), 'wrong_shape'],
    ['an access token that is empty', formatFile({ tokens: { ...tokens, access_token: '' } }), 'wrong_shape'],
    ['no refresh token', formatFile({ tokens: { ...tokens, refresh_token: undefined } }), 'no_refresh_token'],
    ['a published file', formatFile({ auth_mode: 'chatgptAuthTokens', tokens }), 'published_file'],
    ['an agent identity', formatFile({ auth_mode: 'agentIdentity', agent_identity: {} }), 'agent_identity'],
    ['an agent identity without a mode', formatFile({ agent_identity: { a: 1 } }), 'agent_identity'],
    ['a Bedrock key', formatFile({ auth_mode: 'bedrockApiKey', bedrock_api_key: 'b' }), 'bedrock'],
    ['a Bedrock key without a mode', formatFile({ bedrock_api_key: 'b' }), 'bedrock'],
    ['headers', formatFile({ auth_mode: 'headers' }), 'headers'],
    ['a mode of the future', formatFile({ auth_mode: 'passkey', tokens }), 'unknown_mode'],
    ['a mode that is no word', formatFile({ auth_mode: { a: 1 }, tokens }), 'unknown_mode'],
    [
      'a mode nested a hundred thousand deep',
      `{"auth_mode":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
      'unknown_mode',
    ],
  ];
  for (const [why, text, reason] of cases) {
    it(`${why}: ${reason}`, () => {
      expect(readLogin(text)).toMatchObject({ kind: 'none', reason });
    });
  }

  it('in one sentence without a token, for a file that is nearly right', () => {
    const wrong = [{ refresh_token: 7 }, { access_token: 7 }, { refresh_token: '' }];
    for (const change of wrong) {
      const login = readLogin(formatFile({ auth_mode: 'chatgpt', tokens: { ...tokens, ...change } }));
      if (login.kind !== 'none') throw new Error(login.kind);
      for (const token of [tokens.access_token, tokens.refresh_token, tokens.id_token]) {
        expect(login.detail).not.toContain(token);
      }
    }
  });
});

describe('any file', () => {
  it('gives a login or a reason, and never throws', () => {
    holdsForAll(anyAuthFile, (text) => {
      const login = readLogin(text);
      if (login.kind === 'none') {
        expect(REASONS).toHaveProperty(login.reason);
        expect(login.detail).not.toBe('');
        return;
      }
      expect(login.credential.accessToken.reveal()).not.toBe('');
      if (login.kind === 'chatgpt') expect(login.refreshToken.reveal()).not.toBe('');
      else expect(login.credential.expiresAtMs).toBeNull();
    });
  });

  it('gives the same one every time', () => {
    holdsForAll(anyAuthFile, (text) => {
      expect(readLogin(text)).toEqual(readLogin(text));
    });
  });

  it('may be any JSON, or no JSON at all', () => {
    holdsForAll(anyValue, (value) => {
      expect(readLogin(JSON.stringify(value)).kind).toBe('none');
    });
    holdsForAll(anyText, (text) => {
      expect(readLogin(text).kind).toBe('none');
    });
  });

  it('that is torn at any byte is not taken for a login', () => {
    const text = chatgptFile(tokens);
    for (let length = 0; length < text.length; length += 1) {
      expect(readLogin(text.slice(0, length)), String(length)).toMatchObject({
        kind: 'none',
        reason: 'not_json',
      });
    }
  });

  it('has claims that are objects where it says text, and is read all the same', () => {
    const access_token = signJwt({ exp: {}, 'https://api.openai.com/auth': { chatgpt_account_id: [] } });
    const login = readLogin(
      formatFile({ tokens: { access_token, refresh_token: 'r', id_token: makeJwt() } }),
    );
    expect(login).toMatchObject({
      kind: 'chatgpt',
      credential: { expiresAtMs: null, accountId: ACCOUNT_ID },
    });
  });
});

describe('what was found at the path', () => {
  const found = (reading: SettledReading) => loginIn(reading, CODEX_BASE_URLS);

  it('is a login, an absence with its cause, or a file that cannot be read', () => {
    const text = chatgptFile(tokens);
    expect(found({ kind: 'text', text, stamp: '1', modifiedAtMs: 0 })).toEqual(readLogin(text));
    expect(found({ kind: 'absent', stamp: '1', otherStore: null })).toMatchObject({ reason: 'no_file' });
    expect(found({ kind: 'absent', stamp: '1', otherStore: 'keyring' })).toMatchObject({ reason: 'keyring' });
    const detail = 'auth.json is too large';
    expect(found({ kind: 'refused', reason: 'too_large', detail, stamp: '1' })).toMatchObject({
      kind: 'none',
      reason: 'too_large',
      detail,
    });
  });
});
