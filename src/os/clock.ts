/** Time as the program sees it. The simulation has a virtual one. */
export interface Clock {
  /** The wall clock, in milliseconds since the epoch. It may jump. */
  now(): number;
  /** Calls `wake` once after `delayMs`; the function that is returned cancels it. Never keeps the process alive. */
  after(delayMs: number, wake: () => void): () => void;
}

/** The longest delay that a Node timer takes; above it `setTimeout` fires at once (facts 5.4). */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
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
