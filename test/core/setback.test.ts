import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/core/outcome.js';
import { DEFAULT_POLICY } from '../../src/core/plan.js';
import { setback, setbackAfter, type SetbackContext } from '../../src/core/setback.js';
import { holdsForAll } from '../support/property.js';
import { instantMs, policy } from './arbitraries.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

const context: SetbackContext = {
  previous: null,
  nowMs: NOW_MS,
  expiresAtMs: NOW_MS + HOUR,
  policy: DEFAULT_POLICY,
  random: () => 0.5,
};

type Failed = Exclude<Outcome, { kind: 'rotated' }>;

const retry = (reason: 'server_error' | 'offline', afterMs: number | null = null): Failed => ({
  kind: 'retry',
  reason,
  detail: 'd',
  afterMs,
});

describe('after a failed rotation', () => {
  it('a dead refresh token is never asked again', () => {
    const outcome: Failed = { kind: 'rejected', code: 'refresh_token_reused', detail: 'd' };
    expect(setbackAfter(outcome, context)).toEqual({
      trouble: { reason: 'refresh_token_rejected', detail: 'd' },
      retryAtMs: null,
      failures: 0,
    });
  });

  it('a failing server is asked less and less', () => {
    let previous = setbackAfter(retry('server_error'), context);
    const waits = [(previous.retryAtMs ?? 0) - NOW_MS];
    for (let count = 2; count <= 10; count += 1) {
      previous = setbackAfter(retry('server_error'), { ...context, previous });
      expect(previous.failures).toBe(count);
      waits.push((previous.retryAtMs ?? 0) - NOW_MS);
    }
    expect(waits.slice(0, 4)).toEqual([2500, 5000, 10_000, 20_000]);
    expect(waits.at(-1)).toBe(7.5 * MINUTE);
  });

  it('a server that asks for patience gets it, up to a day', () => {
    expect(setbackAfter(retry('server_error', 90_000), context).retryAtMs).toBe(NOW_MS + 90_000);
    expect(setbackAfter(retry('server_error', 10), context).retryAtMs).toBe(NOW_MS + 2500);
    expect(setbackAfter(retry('server_error', 1e12), context).retryAtMs).toBe(NOW_MS + 24 * 60 * MINUTE);
  });

  it('being offline costs no attempts', () => {
    const previous = setback({ reason: 'server_error', detail: 'd' }, context);
    const offline = setbackAfter(retry('offline'), { ...context, previous });
    expect(offline).toMatchObject({ retryAtMs: NOW_MS + 15_000, failures: 1 });
    expect(setbackAfter(retry('offline'), context).failures).toBe(0);
  });

  it('an unknown outcome is followed by a request at the last safe moment only', () => {
    const outcome: Failed = { kind: 'unknown', detail: 'd' };
    expect(setbackAfter(outcome, context)).toMatchObject({
      trouble: { reason: 'outcome_unknown' },
      retryAtMs: NOW_MS + 50 * MINUTE,
    });
    const nearlyExpired = { ...context, expiresAtMs: NOW_MS + MINUTE };
    expect(setbackAfter(outcome, nearlyExpired).retryAtMs).toBe(NOW_MS + 2500);
    expect(setbackAfter(outcome, { ...context, expiresAtMs: null }).retryAtMs).toBe(
      NOW_MS + 24 * 60 * MINUTE,
    );
  });

  it('the next attempt is always in the future, or never', () => {
    const outcome: fc.Arbitrary<Failed> = fc.oneof(
      fc.constant<Failed>({ kind: 'rejected', code: 'c', detail: 'd' }),
      fc.constant<Failed>({ kind: 'unknown', detail: 'd' }),
      fc
        .tuple(fc.constantFrom('server_error' as const, 'offline' as const), fc.option(fc.nat()))
        .map(([reason, afterMs]) => retry(reason, afterMs)),
    );
    const anyContext: fc.Arbitrary<SetbackContext> = fc.record({
      previous: fc.option(
        fc.record({
          trouble: fc.constant({ reason: 'server_error' as const, detail: 'd' }),
          retryAtMs: fc.option(instantMs),
          failures: fc.nat(),
        }),
      ),
      nowMs: instantMs,
      expiresAtMs: fc.option(instantMs),
      policy,
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((value) => () => value),
    });
    holdsForAll(outcome, anyContext, (failed, at) => {
      const { retryAtMs } = setbackAfter(failed, at);
      expect(retryAtMs === null).toBe(failed.kind === 'rejected');
      if (retryAtMs !== null) expect(retryAtMs).toBeGreaterThan(at.nowMs);
    });
  });
});
