const SHORTEST_MS = 50;
const LONGEST_MS = 5000;

/**
 * How long to wait before the next attempt to reach the daemon, in milliseconds: anything up to 50 ms after the first
 * failure, up to twice as much after each further one, at most 5 s. With full jitter, because all the clients of a daemon
 * that was restarted begin to wait at the same instant.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  return random() * Math.min(SHORTEST_MS * 2 ** Math.max(failures - 1, 0), LONGEST_MS);
}

/** Who was connected for longer than this starts anew with the shortest pause. */
export const STEADY_MS = LONGEST_MS;
