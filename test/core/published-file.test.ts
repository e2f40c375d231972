import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLogin, type RotatingLogin } from '../../src/core/login.js';
import { accountInPublished, publishedText } from '../../src/core/published-file.js';
import { chatgptFile, makeLoginTokens } from '../support/login-file.js';
import { makeJwt } from '../support/tokens.js';

function loginOf(text: string): RotatingLogin {
  const login = readLogin(text);
  if (login.kind !== 'chatgpt') throw new Error(login.kind);
  return login;
}

/** A published file, changed. */
function changed(change: (file: Record<string, unknown>, tokens: Record<string, unknown>) => void): string {
  const text = publishedText(loginOf(chatgptFile(makeLoginTokens())), 0) ?? '';
  const file = JSON.parse(text) as Record<string, unknown> & { tokens: Record<string, unknown> };
  change(file, file.tokens);
  return JSON.stringify(file);
}

describe('the text of a published file', () => {
  it('is known again by its account, and read as one that another program keeps fresh', () => {
    const tokens = makeLoginTokens({ claims: { accountId: 'acct-1' } });
    const text = publishedText(loginOf(chatgptFile(tokens)), 0) ?? '';
    expect(accountInPublished(text)).toBe('acct-1');
    expect(readLogin(text)).toMatchObject({ kind: 'none', reason: 'published_file' });
    expect(text).not.toContain(tokens.refresh_token);
  });

  it('is the same for the same tokens, whenever they were written', () => {
    const tokens = makeLoginTokens();
    const [one, other] = [1, 2].map((lastRefreshMs) => loginOf(chatgptFile(tokens, { lastRefreshMs })));
    expect(one && publishedText(one, 0)).toBe(other && publishedText(other, 0));
  });

  it('has a last_refresh that is an instant, whatever the token claims', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double({ noNaN: false }), fc.maxSafeInteger()), (iat) => {
        const tokens = { ...makeLoginTokens(), access_token: makeJwt({ iat, exp: 4e9 }) };
        const text = publishedText(loginOf(chatgptFile(tokens)), 7) ?? '';
        const { last_refresh: at } = JSON.parse(text) as { last_refresh: string };
        expect(at).toMatch(/^\d{4}-\d\d-\d\dT/);
      }),
    );
  });
});

describe('what is no published file', () => {
  it.each([
    ['a login', chatgptFile(makeLoginTokens())],
    ['nothing', ''],
    ['no object', '[]'],
    ['half of one', changed(() => undefined).slice(0, -9)],
    ['one with a refresh token', changed((_file, tokens) => (tokens['refresh_token'] = 'rt_x'))],
    ['one with no refresh token at all', changed((_file, tokens) => delete tokens['refresh_token'])],
    ['one of another mode', changed((file) => (file['auth_mode'] = 'chatgpt'))],
    ['one of no mode', changed((file) => delete file['auth_mode'])],
    ['one with a key', changed((file) => (file['OPENAI_API_KEY'] = 'sk'))],
    ['one with a field more', changed((file) => (file['agent_identity'] = {}))],
    ['one with a token more', changed((_file, tokens) => (tokens['other'] = 'x'))],
    ['one of no account', changed((_file, tokens) => (tokens['account_id'] = null))],
  ])('%s', (_what, text) => {
    expect(accountInPublished(text)).toBe(null);
  });

  it('and one that was not changed is one', () => {
    expect(accountInPublished(changed(() => undefined))).not.toBe(null);
  });
});
