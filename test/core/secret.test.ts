import { createHash } from 'node:crypto';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { holdsForAll } from '../support/property.js';

/** Long enough that it cannot stand in a fingerprint by chance. */
const token = fc.string({ minLength: 16, maxLength: 200, unit: 'grapheme' });

/** Every way in which a value gets printed that we could think of. */
function printed(secret: Secret): string[] {
  const holder = { secret, list: [secret], map: new Map([['secret', secret]]) };
  const lines: string[] = [];
  pino({ base: null }, { write: (line: string) => lines.push(line) }).info({ secret, holder }, 'a line');
  return [
    String(secret),
    `a template: ${String(secret)}`,
    ['', secret].join(),
    JSON.stringify(secret),
    JSON.stringify(holder),
    inspect(secret, { showHidden: true, depth: null }),
    inspect(holder, { showHidden: true, depth: null }),
    format('%s %o %O %j %d', secret, secret, secret, secret, secret),
    String(new Error('failed', { cause: secret }).cause),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(Object.assign({}, secret)),
    inspect(structuredClone(Object.assign({}, secret))),
    ...lines,
  ];
}

describe('a secret', () => {
  it('never shows its token, however it is printed', () => {
    holdsForAll(token, (value) => {
      for (const text of printed(new Secret(value))) {
        expect(text).not.toContain(value);
        expect(text).not.toContain(JSON.stringify(value).slice(1, -1));
      }
    });
  });

  it('shows the first 12 hex digits of the SHA-256 instead', () => {
    const digits = createHash('sha256').update('a token').digest('hex').slice(0, 12);
    const secret = new Secret('a token');
    expect(secret.fingerprint).toBe(digits);
    expect(String(secret)).toBe(`secret:${digits}`);
    expect(JSON.stringify({ secret })).toBe(`{"secret":"secret:${digits}"}`);
  });

  it('gives the token to who asks for it by name', () => {
    holdsForAll(token, (value) => {
      expect(new Secret(value).reveal()).toBe(value);
    });
  });

  it('equals another one with the same token and no other', () => {
    holdsForAll(token, token, (a, b) => {
      expect(new Secret(a).equals(new Secret(b))).toBe(a === b);
      expect(new Secret(a).equals(new Secret(a))).toBe(true);
      expect(new Secret(a).equals(undefined)).toBe(false);
    });
  });
});
