import type { Clock } from '../os/clock.js';

/** A file is read this long after its last event: chokidar loses the second of two changes within 50 ms (facts 5.2). */
const SETTLE_MS = 80;
/** A file that is written all the time is read at least this often. */
const LONGEST_SETTLE_MS = 400;

export interface Settle {
  readonly event: () => void;
  readonly cancel: () => void;
}

/** Calls `wake` when events have stopped for a moment, or have gone on for too long. */
export function settleAfter(clock: Clock, wake: () => void): Settle {
  let cancelTimer: (() => void) | null = null;
  let firstAtMs: number | null = null;
  const cancel = (): void => {
    cancelTimer?.();
    cancelTimer = null;
    firstAtMs = null;
  };
  const event = (): void => {
    cancelTimer?.();
    firstAtMs ??= clock.monotonicMs();
    const patienceMs = firstAtMs + LONGEST_SETTLE_MS - clock.monotonicMs();
    cancelTimer = clock.after(Math.max(Math.min(SETTLE_MS, patienceMs), 0), () => {
      cancel();
      wake();
    });
  };
  return { event, cancel };
}
