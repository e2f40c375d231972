import type { Clock } from '../../src/os/clock.js';

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Moves time on and wakes whoever is due, in order. */
  advance(ms: number): void;
  /** How many wait to be woken. */
  readonly waiting: number;
}

export function createManualClock(startMs = Date.parse('2026-11-22T12:00:00Z')): ManualClock {
  let nowMs = startMs;
  const alarms = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  return {
    now: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    after(delayMs, wake) {
      const alarm = { atMs: nowMs + Math.max(delayMs, 0), wake };
      alarms.add(alarm);
      return () => void alarms.delete(alarm);
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const due = [...alarms].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        alarms.delete(due);
        nowMs = due.atMs;
        due.wake();
      }
      nowMs = endMs;
    },
    get waiting() {
      return alarms.size;
    },
  };
}
