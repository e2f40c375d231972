import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Credential } from '../../src/core/credential.js';
import {
  backoffMs,
  DEFAULT_POLICY,
  dueAt,
  earliestRotation,
  worthRotating,
  type Provenance,
} from '../../src/core/plan.js';
import { Secret } from '../../src/core/secret.js';
import { holdsForAll } from '../support/property.js';
import { credential, instantMs, policy, provenance } from './arbitraries.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW_MS = Date.parse('2026-11-22T12:00:00Z');
const FOR_EVER = Number.MAX_SAFE_INTEGER;

/** A credential that this daemon got at `NOW_MS`. */
function issued(lifetimeMs: number): [Credential, Provenance] {
  return [
    {
      accessToken: new Secret('a'),
      issuedAtMs: NOW_MS,
      expiresAtMs: NOW_MS + lifetimeMs,
      accountId: null,
      plan: null,
      baseUrl: 'https://example.test',
    },
    { obtainedAtMs: NOW_MS, rotated: true, lastRefreshMs: NOW_MS, jitterSeed: 'default:1' },
  ];
}

const PUNCTUAL = { ...DEFAULT_POLICY, jitterFraction: 0 };

/** The lead of a credential with this lifetime, without jitter. */
function leadOf(lifetimeMs: number): number {
  return NOW_MS + lifetimeMs - dueAt(...issued(lifetimeMs), PUNCTUAL);
}

const lifetimeMs = fc.integer({ min: 1, max: 400 * DAY });

describe('when a rotation is due', () => {
  it('is a quarter of the lifetime before expiry, at least 10 min, at most 3 days, never more than half', () => {
    expect(leadOf(10 * DAY)).toBe(2.5 * DAY);
    expect(leadOf(30 * DAY)).toBe(3 * DAY);
    expect(leadOf(2 * HOUR)).toBe(30 * MINUTE);
    expect(leadOf(30 * MINUTE)).toBe(10 * MINUTE);
    expect(leadOf(15 * MINUTE)).toBe(7.5 * MINUTE);
    expect(leadOf(20 * SECOND)).toBe(10 * SECOND);
  });

  it('has that lead for every lifetime', () => {
    holdsForAll(lifetimeMs, (ms) => {
      const lead = leadOf(ms);
      expect(lead).toBeLessThanOrEqual(Math.min(3 * DAY, ms / 2) + 1e-3);
      expect(lead).toBeGreaterThanOrEqual(Math.min(10 * MINUTE, ms / 2, ms - MINUTE) - 1e-3);
    });
  });

  it('is later by up to a tenth of the lead, always the same for one credential and another for the next', () => {
    const [token, from] = issued(10 * DAY);
    const seeds = Array.from({ length: 200 }, (_, generation) => `default:${String(generation)}`);
    const delays = seeds.map((jitterSeed) => {
      const due = dueAt(token, { ...from, jitterSeed }, DEFAULT_POLICY);
      expect(dueAt(token, { ...from, jitterSeed }, DEFAULT_POLICY)).toBe(due);
      return due - (NOW_MS + 7.5 * DAY);
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(0.25 * DAY);
    expect(new Set(delays).size).toBe(seeds.length);
  });

  it('is 7 days after the last refresh where the token does not say when it expires', () => {
    const [token, from] = issued(DAY);
    const silent = { ...token, expiresAtMs: null };
    const others = { ...from, rotated: false, lastRefreshMs: NOW_MS - 2 * DAY };
    expect(dueAt(silent, from, DEFAULT_POLICY)).toBe(NOW_MS + 7 * DAY);
    expect(dueAt(silent, others, DEFAULT_POLICY)).toBe(NOW_MS + 5 * DAY);
    expect(dueAt(silent, { ...others, lastRefreshMs: null }, DEFAULT_POLICY)).toBe(NOW_MS + 7 * DAY);
  });

  it('is a possible instant for any credential and any policy', () => {
    holdsForAll(credential, provenance, policy, (token, from, rules) => {
      const due = dueAt(token, from, rules);
      expect(Number.isFinite(due)).toBe(true);
      expect(new Date(due).getTime()).not.toBeNaN();
    });
  });

  it('is never before the earliest moment, unless the token has expired by then', () => {
    holdsForAll(credential, provenance, policy, (token, from, rules) => {
      const earliest = earliestRotation(token, from, rules);
      expect(dueAt(token, from, rules)).toBeGreaterThanOrEqual(
        Math.min(earliest, token.expiresAtMs ?? earliest),
      );
    });
  });

  it('is never after expiry, also of a token that was got when the clock was hours ahead', () => {
    holdsForAll(credential, provenance, policy, (token, from, rules) => {
      if (token.expiresAtMs === null) return;
      expect(dueAt(token, from, rules)).toBeLessThanOrEqual(token.expiresAtMs);
    });
  });
});

describe('the earliest moment for a rotation unasked', () => {
  it('is a minute after issue, or half the lifetime where that is less', () => {
    expect(earliestRotation(...issued(HOUR), DEFAULT_POLICY)).toBe(NOW_MS + MINUTE);
    expect(earliestRotation(...issued(20 * SECOND), DEFAULT_POLICY)).toBe(NOW_MS + 10 * SECOND);
    expect(earliestRotation(...issued(0), DEFAULT_POLICY)).toBe(NOW_MS);
  });

  it('counts from when the daemon got the token, however wrong the clocks are', () => {
    const [token, from] = issued(HOUR);
    const ahead = { ...token, issuedAtMs: NOW_MS + 30 * MINUTE };
    const behind = { ...token, issuedAtMs: NOW_MS - 30 * MINUTE };
    for (const odd of [ahead, behind])
      expect(earliestRotation(odd, from, DEFAULT_POLICY)).toBe(NOW_MS + MINUTE);
  });

  it('counts from what the token says where someone else got it, but not from the future', () => {
    const [token, from] = issued(HOUR);
    const others = { ...from, rotated: false };
    const older = { ...token, issuedAtMs: NOW_MS - 10 * MINUTE };
    const future = { ...token, issuedAtMs: NOW_MS + 10 * MINUTE };
    expect(earliestRotation(older, others, DEFAULT_POLICY)).toBe(NOW_MS - 9 * MINUTE);
    expect(earliestRotation(future, others, DEFAULT_POLICY)).toBe(NOW_MS + MINUTE);
  });

  it('never asks a server more often than twice in the lifetime of its tokens, or every minute', () => {
    holdsForAll(lifetimeMs, policy, (ms, rules) => {
      const waitMs = earliestRotation(...issued(ms), rules) - NOW_MS;
      expect(waitMs).toBeCloseTo(Math.min(rules.minAgeMs, ms / 2), 3);
    });
  });
});

describe('a consumer that asks for more validity than is left', () => {
  const minValidMs = fc.integer({ min: 0, max: 30 * DAY });

  it('is never a reason while enough is left', () => {
    holdsForAll(credential, provenance, policy, minValidMs, instantMs, (token, from, rules, min, now) => {
      const leftMs = (token.expiresAtMs ?? FOR_EVER) - now;
      if (leftMs > 0 && leftMs >= min) expect(worthRotating(token, from, rules, min, now)).toBe(false);
      if (leftMs <= 0) expect(worthRotating(token, from, rules, min, now)).toBe(true);
    });
  });

  it('is a reason at once for a token that somebody else got', () => {
    const [token, from] = issued(HOUR);
    expect(worthRotating(token, { ...from, rotated: false }, DEFAULT_POLICY, HOUR, NOW_MS + 1)).toBe(true);
  });

  it('is no reason for a token that the daemon got itself, while less than a twentieth of its life is gone', () => {
    const [token, from] = issued(HOUR);
    expect(worthRotating(token, from, DEFAULT_POLICY, HOUR, NOW_MS + 3 * MINUTE - 1)).toBe(false);
    expect(worthRotating(token, from, DEFAULT_POLICY, HOUR, NOW_MS + 3 * MINUTE)).toBe(true);
    const [short, since] = issued(20 * SECOND);
    expect(worthRotating(short, since, DEFAULT_POLICY, 20 * SECOND, NOW_MS + 5 * SECOND - 1)).toBe(false);
    expect(worthRotating(short, since, DEFAULT_POLICY, 20 * SECOND, NOW_MS + 5 * SECOND)).toBe(true);
  });

  it('is no reason, where tokens are too short for it, before half of the lifetime is over', () => {
    const [token, from] = issued(20 * SECOND);
    expect(worthRotating(token, from, DEFAULT_POLICY, MINUTE, NOW_MS + 10 * SECOND - 1)).toBe(false);
    expect(worthRotating(token, from, DEFAULT_POLICY, MINUTE, NOW_MS + 10 * SECOND)).toBe(true);
  });

  it('is no reason, where tokens are too short for it, before a quarter of a long lifetime is over', () => {
    const [token, from] = issued(10 * DAY);
    expect(worthRotating(token, from, DEFAULT_POLICY, 30 * DAY, NOW_MS + 2.5 * DAY - 1)).toBe(false);
    expect(worthRotating(token, from, DEFAULT_POLICY, 30 * DAY, NOW_MS + 2.5 * DAY)).toBe(true);
  });

  it('is no reason for a token that does not expire', () => {
    const [token, from] = issued(HOUR);
    expect(worthRotating({ ...token, expiresAtMs: null }, from, DEFAULT_POLICY, DAY, FOR_EVER)).toBe(false);
  });
});

describe('how long to wait after a failure', () => {
  const failures = fc.integer({ min: 1, max: 10_000 });
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('grows from 5 s to 15 min at most', () => {
    const longest = (count: number): number => backoffMs(count, () => 0.999_999, DEFAULT_POLICY);
    expect(longest(1)).toBeCloseTo(5 * SECOND, -2);
    expect(longest(2)).toBeCloseTo(10 * SECOND, -2);
    expect(longest(8)).toBeCloseTo(640 * SECOND, -2);
    expect(longest(9)).toBeCloseTo(15 * MINUTE, -2);
    expect(longest(10_000)).toBeCloseTo(15 * MINUTE, -2);
  });

  it('is anything up to that, but not under a second', () => {
    expect(backoffMs(3, () => 0.5, DEFAULT_POLICY)).toBe(10 * SECOND);
    expect(backoffMs(3, () => 0, DEFAULT_POLICY)).toBe(SECOND);
  });

  it('stays within these bounds for every policy and every chance', () => {
    holdsForAll(failures, chance, policy, (count, random, rules) => {
      const waitMs = backoffMs(count, () => random, rules);
      const longestMs = Math.min(rules.backoffMinMs * 2 ** (count - 1), rules.backoffMaxMs);
      expect(waitMs).toBeLessThanOrEqual(longestMs);
      expect(waitMs).toBeGreaterThanOrEqual(Math.min(SECOND, longestMs));
    });
  });
});
