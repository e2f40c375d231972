import { describe, expect, it } from 'vitest';
import { withTokens } from '../../src/core/edit.js';
import { readLogin } from '../../src/core/login.js';
import type { TokenSet } from '../../src/core/outcome.js';
import { Secret } from '../../src/core/secret.js';
import { chatgptFile, formatFile, makeLoginTokens } from '../support/login-file.js';
import { holdsForAll } from '../support/property.js';
import { makeJwt } from '../support/tokens.js';
import { anyAuthFile, anyText, instantMs } from './arbitraries.js';
import { authFilePieces, differenceAfter, textBefore } from './json-text.js';

const NOW_MS = Date.parse('2026-11-22T12:00:00.123Z');
const idToken = makeJwt();

const fresh: TokenSet = {
  accessToken: new Secret('new "access" \\ token'),
  refreshToken: new Secret('new-refresh'),
  idToken: new Secret(idToken),
};

const none: TokenSet = { accessToken: null, refreshToken: null, idToken: null };

const after = {
  access_token: 'new "access" \\ token',
  refresh_token: 'new-refresh',
  id_token: idToken,
  last_refresh: '2026-11-22T12:00:00.123Z',
};

describe('an auth.json with new tokens', () => {
  const tokens = makeLoginTokens();

  it('is what Codex would have written', () => {
    const before = chatgptFile(tokens, { lastRefreshMs: 0 });
    const { last_refresh, ...renewed } = after;
    const expected = chatgptFile({ ...tokens, ...renewed }, { lastRefreshMs: Date.parse(last_refresh) });
    expect(withTokens(before, fresh, NOW_MS)).toBe(expected);
  });

  it('keeps a token that the answer did not hold', () => {
    const text = withTokens(chatgptFile(tokens, { lastRefreshMs: 0 }), none, NOW_MS);
    expect(text).toBe(chatgptFile(tokens, { lastRefreshMs: NOW_MS }));
  });

  it('keeps the id_token where the new one is no JWT: Codex would refuse the file', () => {
    const before = chatgptFile(tokens);
    const text = withTokens(before, { ...fresh, idToken: new Secret('opaque') }, NOW_MS);
    expect(text).toContain(tokens.id_token);
    expect(text).not.toContain('opaque');
  });

  it('gets a last_refresh where it had none: Codex sends nothing without it', () => {
    const text = withTokens(formatFile({ tokens }), none, NOW_MS);
    expect(JSON.parse(text)).toEqual({ tokens, last_refresh: after.last_refresh });
  });

  it('keeps the format of whoever wrote it', () => {
    for (const indent of [0, 1, 4, '\t']) {
      const document = { tokens: { ...tokens }, last_refresh: 'never', more: { a: [1, 2, { b: [] }] } };
      const { last_refresh, ...renewed } = after;
      const expected = { ...document, tokens: { ...tokens, ...renewed }, last_refresh };
      const text = withTokens(JSON.stringify(document, null, indent), fresh, NOW_MS);
      expect(text).toBe(JSON.stringify(expected, null, indent));
    }
  });
});

describe('whatever else is in it', () => {
  it('stays as it was, to the byte', () => {
    holdsForAll(authFilePieces, (pieces) => {
      const before = textBefore(pieces);
      const edited = withTokens(before, fresh, NOW_MS);
      expect(differenceAfter(edited, pieces, after), before).toBeNull();
    });
  });

  it('stays so over a second edit', () => {
    holdsForAll(authFilePieces, (pieces) => {
      const once = withTokens(textBefore(pieces), fresh, NOW_MS);
      expect(withTokens(once, fresh, NOW_MS)).toBe(once);
    });
  });

  it('stays so where it is what JSON.parse would spoil', () => {
    const foreign =
      '"big": 12345678901234567890, "huge": 1e400, "a": 1, "a": 2, "__proto__": {"b": "\\u0041"}';
    const before = `{${foreign}, "tokens": {"access_token": "x", "refresh_token": "y", "id_token": "z"}, "last_refresh": ""}`;
    expect(withTokens(before, fresh, NOW_MS)).toContain(`{${foreign}, "tokens": {`);
  });
});

describe('a document in which a field has no single place', () => {
  const cases: readonly (readonly [why: string, text: string])[] = [
    ['no JSON', '{"tokens":'],
    ['comments', '{"tokens": {"access_token": "a"}} // mine'],
    ['a trailing comma', '{"tokens": {"access_token": "a"},}'],
    ['an array', '[]'],
    ['a string', '"x"'],
    ['tokens that are null', '{"tokens": null}'],
    ['tokens that are a list', '{"tokens": []}'],
    ['tokens twice', '{"tokens": {"access_token": "a"}, "tokens": {"access_token": "a"}}'],
    ['an access token twice', '{"tokens": {"access_token": "a", "access_token": "a"}}'],
    [
      'an access token twice, once in disguise',
      '{"tokens": {"access_token": "a", "access\\u005ftoken": "a"}}',
    ],
    ['a last_refresh twice', '{"tokens": {"access_token": "a"}, "last_refresh": "", "last_refresh": ""}'],
    ['nesting without end', '['.repeat(1e5)],
  ];
  for (const [why, text] of cases) {
    it(`is refused rather than half changed: ${why}`, () => {
      expect(() => withTokens(text, fresh, NOW_MS)).toThrow(Error);
    });
  }
});

describe('any document', () => {
  it('is edited so that the new tokens are read from it, or refused', () => {
    holdsForAll(anyAuthFile, instantMs, (before, now) => {
      let text: string;
      try {
        text = withTokens(before, fresh, now);
      } catch {
        return;
      }
      expect(JSON.parse(text)).toMatchObject({
        tokens: { access_token: after.access_token, refresh_token: after.refresh_token, id_token: idToken },
        last_refresh: new Date(now).toISOString(),
      });
    });
  });

  it('that is a login is one after the edit, of the same account', () => {
    holdsForAll(anyAuthFile, (before) => {
      const login = readLogin(before);
      if (login.kind !== 'chatgpt') return;
      const edited = readLogin(
        withTokens(before, { ...fresh, accessToken: new Secret('new'), idToken: null }, NOW_MS),
      );
      if (edited.kind !== 'chatgpt') throw new Error(edited.kind);
      expect(edited.refreshToken.reveal()).toBe(after.refresh_token);
      expect(edited.lastRefreshMs).toBe(NOW_MS);
    });
  });

  it('may be no JSON at all, and is refused then', () => {
    holdsForAll(anyText, (text) => {
      expect(() => withTokens(text, fresh, NOW_MS)).toThrow(Error);
    });
  });
});
