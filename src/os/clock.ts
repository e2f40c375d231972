/** Time as the program sees it. The simulation has a virtual one. */
export interface Clock {
  /** The wall clock, in milliseconds since the epoch: for instants. It may jump. */
  now(): number;
  /** Milliseconds since some moment: for durations and deadlines. Nobody can set it; it may stand still in a sleep. */
  monotonicMs(): number;
  /** Calls `wake` once after `delayMs`; the function that is returned cancels it. Never keeps the process alive. */
  after(delayMs: number, wake: () => void): () => void;
}

/** The longest delay that a Node timer takes; above it `setTimeout` fires at once (facts 5.4). */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS));
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after `delayMs`. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}
