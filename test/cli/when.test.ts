import { describe, expect, it } from 'vitest';
import { formatLocal, formatRelative, formatSpan, formatTimeOfDay, formatWhen } from '../../src/cli/when.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-23T13:00:00.000Z');

function inMs(spanMs: number): string {
  return new Date(NOW + spanMs).toISOString();
}

describe('a span of time', () => {
  it.each([
    [0, '0 s'],
    [999, '0 s'],
    [SECOND, '1 s'],
    [59_999, '59 s'],
    [MINUTE, '1 min'],
    [MINUTE + SECOND, '1 min 1 s'],
    [HOUR - 1, '59 min 59 s'],
    [HOUR, '1 h'],
    [HOUR + MINUTE - 1, '1 h'],
    [HOUR + MINUTE, '1 h 1 min'],
    [DAY - 1, '23 h 59 min'],
    [DAY, '1 d'],
    [9 * DAY + 4 * HOUR + 59 * MINUTE, '9 d 4 h'],
    [9 * DAY + 59 * MINUTE, '9 d'],
    [400 * DAY, '400 d'],
    [-3 * HOUR, '3 h'],
  ])('%d ms is %s', (spanMs, text) => {
    expect(formatSpan(spanMs)).toBe(text);
  });
});

describe('an instant seen from now', () => {
  it.each([
    [9 * DAY + 4 * HOUR, 'in 9 d 4 h'],
    [SECOND, 'in 1 s'],
    [999, 'now'],
    [0, 'now'],
    [-999, 'now'],
    [-12 * SECOND, '12 s ago'],
    [-(2 * HOUR + 5 * MINUTE), '2 h 5 min ago'],
  ])('%d ms away is %s', (spanMs, text) => {
    expect(formatRelative(inMs(spanMs), NOW)).toBe(text);
  });
});

describe('local time', () => {
  it.each([
    ['UTC', '2026-12-02 16:03:12 +00:00'],
    ['Europe/Berlin', '2026-12-02 17:03:12 +01:00'],
    ['America/St_Johns', '2026-12-02 12:33:12 -03:30'],
    ['Asia/Kolkata', '2026-12-02 21:33:12 +05:30'],
    ['Pacific/Kiritimati', '2026-12-03 06:03:12 +14:00'],
  ])('in %s is %s', (zone, text) => {
    expect(formatLocal('2026-12-02T16:03:12.000Z', zone)).toBe(text);
  });

  it('writes midnight as 00:00:00', () => {
    expect(formatLocal('2026-12-02T00:00:00Z', 'UTC')).toBe('2026-12-02 00:00:00 +00:00');
  });

  it('follows the change to summer time', () => {
    expect(formatLocal('2027-03-28T00:59:59Z', 'Europe/Berlin')).toBe('2027-03-28 01:59:59 +01:00');
    expect(formatLocal('2027-03-28T01:00:00Z', 'Europe/Berlin')).toBe('2027-03-28 03:00:00 +02:00');
  });

  it('gives the time of the day alone for lines of a log', () => {
    expect(formatTimeOfDay(NOW, 'Europe/Berlin')).toBe('14:00:00');
  });

  it('comes with the span from now where both matter', () => {
    expect(formatWhen(inMs(9 * DAY + 4 * HOUR), NOW, 'UTC')).toBe('2026-12-02 17:00:00 +00:00 (in 9 d 4 h)');
  });
});
