import { describe, expect, it } from 'vitest';
import { isJwt, readClaims } from '../../src/core/claims.js';
import { holdsForAll } from '../support/property.js';
import { makeJwt, signJwt } from '../support/tokens.js';
import { anyToken } from './arbitraries.js';

describe('the claims of a token', () => {
  it('are read from where Codex puts them', () => {
    const token = makeJwt({
      iat: 1_795_000_000,
      exp: 1_795_864_000,
      accountId: 'acct-1',
      plan: 'plus',
      email: 'ada@example.test',
    });
    expect(readClaims(token)).toEqual({
      issuedAtMs: 1_795_000_000_000,
      expiresAtMs: 1_795_864_000_000,
      accountId: 'acct-1',
      plan: 'plus',
      email: 'ada@example.test',
    });
  });

  it('have the address at the top level first, under the profile second', () => {
    const profile = { 'https://api.openai.com/profile': { email: 'profile@example.test' } };
    expect(readClaims(makeJwt({ emailAt: 'top', email: 'top@example.test', more: profile })).email).toBe(
      'top@example.test',
    );
    expect(readClaims(signJwt(profile)).email).toBe('profile@example.test');
  });

  it('are all null for what is no JWT', () => {
    for (const text of ['', 'sk-proj-abc', 'a.b', 'a.b.c', '..', `${makeJwt()}.more`]) {
      const { expiresAtMs, issuedAtMs, accountId, plan, email } = readClaims(text);
      expect([expiresAtMs, issuedAtMs, accountId, plan, email], text).toEqual([null, null, null, null, null]);
    }
  });

  it('are null where their type is wrong', () => {
    const token = signJwt({
      exp: '1795864000',
      iat: [1],
      email: 7,
      'https://api.openai.com/auth': 'text',
      'https://api.openai.com/profile': null,
    });
    expect(Object.values(readClaims(token))).toEqual([null, null, null, null, null]);
  });

  it('hold no instant that a Date cannot', () => {
    for (const exp of [1e300, -1e300, 8.64e12 + 1])
      expect(readClaims(signJwt({ exp })).expiresAtMs).toBeNull();
    expect(readClaims(signJwt({ exp: 8.64e12 })).expiresAtMs).toBe(8.64e15);
  });

  it('are read from any text whatever, without throwing', () => {
    holdsForAll(anyToken, (token) => {
      const { expiresAtMs, issuedAtMs, accountId, plan, email } = readClaims(token);
      for (const ms of [expiresAtMs, issuedAtMs]) {
        if (ms !== null) expect(new Date(ms).getTime()).toBe(ms);
      }
      for (const text of [accountId, plan, email]) expect(text).not.toBe('');
    });
  });
});

describe('whether something is a JWT', () => {
  it('is decided as Codex does, by its payload and not by its signature', () => {
    expect(isJwt(makeJwt())).toBe(true);
    expect(isJwt(makeJwt().replace(/\.[^.]*$/, '.forged'))).toBe(true);
    expect(isJwt('e30.e30.e30')).toBe(true);
    for (const text of ['', 'opaque', 'a.b.c', 'e30.W10.e30', 'e30.e30'])
      expect(isJwt(text), text).toBe(false);
  });

  it('is decided for any text whatever', () => {
    holdsForAll(anyToken, (token) => {
      expect(typeof isJwt(token)).toBe('boolean');
    });
  });
});
