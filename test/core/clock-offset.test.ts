import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  believableDate,
  offsetAfterJump,
  offsetFromDate,
  offsetFromIssue,
} from '../../src/core/clock-offset.js';
import { holdsForAll } from '../support/property.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const YEAR = 365 * 24 * HOUR;
const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

/** An offset that a machine may have, and what an answer shows of it after so long on the way there and back. */
const exchanges = fc.record({
  trueMs: fc.integer({ min: -YEAR, max: YEAR }),
  sentAtMs: fc.integer({ min: NOW_MS, max: NOW_MS + YEAR }),
  thereMs: fc.nat({ max: 30 * SECOND }),
  backMs: fc.nat({ max: 30 * SECOND }),
});

function answerOf({
  trueMs,
  sentAtMs,
  thereMs,
  backMs,
}: typeof exchanges extends fc.Arbitrary<infer E> ? E : never) {
  const dateMs = Math.floor((sentAtMs + thereMs + trueMs) / SECOND) * SECOND;
  return { dateMs, sentAtMs, receivedAtMs: sentAtMs + thereMs + backMs };
}

describe('the offset that an answer tells', () => {
  it('is within a second and the time on the way of the true one, whatever was believed before', () => {
    holdsForAll(exchanges, fc.integer({ min: -YEAR, max: YEAR }), (exchange, before) => {
      const found = offsetFromDate(answerOf(exchange), before, true);
      const most = SECOND + exchange.thereMs + exchange.backMs;
      expect(Math.abs(found - exchange.trueMs)).toBeLessThanOrEqual(most);
    });
  });

  it('is none where the clock may be right, unless the machine slept', () => {
    holdsForAll(exchanges, fc.integer(), (exchange, before) => {
      fc.pre(exchange.thereMs + exchange.backMs <= 59 * SECOND);
      expect(offsetFromDate(answerOf({ ...exchange, trueMs: 0 }), before, true)).toBe(0);
    });
  });

  it('is never farther from none than the true one, if none was known', () => {
    holdsForAll(exchanges, (exchange) => {
      fc.pre(exchange.thereMs + exchange.backMs <= 58 * SECOND);
      const found = offsetFromDate(answerOf(exchange), 0, false);
      expect(Math.abs(found)).toBeLessThanOrEqual(Math.abs(exchange.trueMs));
      expect(found * exchange.trueMs).toBeGreaterThanOrEqual(0);
    });
  });

  const sleeps = fc.integer({ min: 2 * MINUTE, max: YEAR });

  it('is what it was after a request in which the machine slept, where an answer had told it', () => {
    holdsForAll(exchanges, sleeps, (exchange, sleptMs) => {
      const answer = answerOf({ ...exchange, backMs: sleptMs });
      expect(offsetFromDate(answer, exchange.trueMs, true)).toBe(exchange.trueMs);
    });
  });

  it('never makes the time earlier than it is where the machine slept, and its clock is known to be wrong', () => {
    const wrong = fc.integer({ min: -YEAR, max: YEAR }).filter((offset) => offset !== 0);
    holdsForAll(exchanges, sleeps, wrong, (exchange, sleptMs, before) => {
      const answer = answerOf({ ...exchange, backMs: sleptMs });
      expect(offsetFromDate(answer, before, false)).toBeGreaterThanOrEqual(exchange.trueMs - 3 * SECOND);
    });
  });

  it('is none where the machine slept, and nothing bad is known of its clock', () => {
    holdsForAll(exchanges, sleeps, (exchange, sleptMs) => {
      const late = answerOf({ ...exchange, trueMs: 0, thereMs: sleptMs });
      const early = answerOf({ ...exchange, trueMs: 0, backMs: sleptMs });
      for (const answer of [late, early]) expect(offsetFromDate(answer, 0, false)).toBe(0);
    });
  });

  it('is the same after another such answer', () => {
    holdsForAll(exchanges, fc.integer(), (exchange, before) => {
      const once = offsetFromDate(answerOf(exchange), before, true);
      expect(offsetFromDate(answerOf(exchange), once, true)).toBe(once);
    });
  });
});

describe('the offset after a jump of the wall clock', () => {
  const offsets = fc.integer({ min: -YEAR, max: YEAR });

  it('never makes the time go back by more than what nobody can tell', () => {
    holdsForAll(offsets, offsets, (offset, jump) => {
      const passed = offsetAfterJump(offset, jump) + jump - offset;
      expect(passed).toBeGreaterThanOrEqual(-3 * SECOND);
    });
  });

  it('is what it was after the drift of two good clocks', () => {
    holdsForAll(offsets, fc.integer({ min: -SECOND, max: SECOND }), (offset, jump) => {
      expect(offsetAfterJump(offset, jump)).toBe(offset);
    });
  });

  it('is none when a wrong clock was put right, either way', () => {
    holdsForAll(
      offsets.filter((offset) => Math.abs(offset) > 4 * SECOND),
      fc.integer({ min: -2 * SECOND, max: 2 * SECOND }),
      (offset, slip) => {
        expect(offsetAfterJump(offset, offset + slip)).toBe(0);
      },
    );
  });

  it('is never less than the one of a machine that slept, and was put right or not', () => {
    holdsForAll(
      offsets,
      fc.integer({ min: 2 * SECOND, max: YEAR }),
      fc.boolean(),
      (offset, sleptMs, isMended) => {
        const jump = sleptMs + (isMended ? offset : 0);
        fc.pre(jump > SECOND && Math.abs(jump - offset) > 3 * SECOND);
        expect(offsetAfterJump(offset, jump)).toBeGreaterThanOrEqual((isMended ? 0 : offset) - 3 * SECOND);
      },
    );
  });
});

describe('a Date header', () => {
  const DATE = 'Sun, 22 Nov 2026 12:00:00 GMT';

  it.each([
    null,
    '',
    '1',
    '2026-11-22T12:00:00Z',
    'Sun Nov 22 12:00:00 2026',
    'Sunday, 22-Nov-26 12:00:00 GMT',
    'Sun, 22 Nov 2026 25:00:00 GMT',
    'Sun, 22 Nov 2026 12:00:00 +0000',
  ])('is not believed as %j', (date) => {
    expect(believableDate(date, null, null)).toBeNull();
  });

  it('is believed exactly if the token that came with it lives then, give or take the skew of a server', () => {
    expect(believableDate(DATE, null, null)).toBe(NOW_MS);
    holdsForAll(
      fc.integer({ min: -HOUR, max: HOUR }),
      fc.integer({ min: -HOUR, max: HOUR }),
      (issuedInMs, expiresInMs) => {
        const token = { issuedAtMs: NOW_MS + issuedInMs, expiresAtMs: NOW_MS + expiresInMs };
        const isAlive = issuedInMs <= 5 * MINUTE && expiresInMs > 0;
        expect(believableDate(DATE, token, null)).toBe(isAlive ? NOW_MS : null);
      },
    );
  });

  it('is not believed where a token that was known before would not have been issued then', () => {
    const known = { issuedAtMs: NOW_MS + HOUR, expiresAtMs: NOW_MS + 2 * HOUR };
    expect(believableDate(DATE, null, known)).toBeNull();
    expect(believableDate(DATE, null, { issuedAtMs: NOW_MS - HOUR, expiresAtMs: NOW_MS - 1 })).toBe(NOW_MS);
    expect(believableDate(DATE, { issuedAtMs: NOW_MS, expiresAtMs: null }, known)).toBe(NOW_MS);
  });
});

describe('a token that was issued', () => {
  it('in the past tells nothing', () => {
    expect(offsetFromIssue({ issuedAtMs: NOW_MS, expiresAtMs: null }, NOW_MS, null)).toBeNull();
  });

  it('in the future tells that the clock is behind, if it is no nonsense', () => {
    const issuedAtMs = NOW_MS + HOUR;
    expect(offsetFromIssue({ issuedAtMs, expiresAtMs: issuedAtMs + 1 }, NOW_MS, null)).toBe(HOUR);
    expect(offsetFromIssue({ issuedAtMs, expiresAtMs: issuedAtMs }, NOW_MS, null)).toBeNull();
    expect(offsetFromIssue({ issuedAtMs: NOW_MS * 1000, expiresAtMs: null }, NOW_MS, null)).toBeNull();
  });

  it('a little ahead of the server’s own clock tells nothing', () => {
    const token = { issuedAtMs: NOW_MS + 5 * MINUTE, expiresAtMs: null };
    expect(offsetFromIssue(token, NOW_MS, 0)).toBeNull();
    expect(offsetFromIssue(token, NOW_MS, -1)).toBe(5 * MINUTE);
  });
});
