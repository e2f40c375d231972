import { AuthdError } from '../../errors.js';
import { backoffMs } from './backoff.js';
import { pause, type Disturbance } from './pause.js';

/** How long to go on. */
export interface Persistence {
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Is heard of the daemon: ends a pause. */
  readonly onNews: Disturbance['onNews'];
}

/**
 * Makes attempts until one succeeds, for as long as the daemon is away: while it is started anew nobody has to care. An
 * attempt that gives null is repeated too: what it was answered is out of date.
 *
 * @throws what the last attempt threw, at once if the daemon answered with it
 */
export async function persist<T>(
  { waitMs, signal, onNews }: Persistence,
  attempt: (leftMs: number) => Promise<T | null>,
): Promise<T> {
  const giveUpAtMs = performance.now() + waitMs;
  const leftMs = (): number => Math.max(giveUpAtMs - performance.now(), 0);
  for (let failures = 1; ; failures += 1) {
    const lastMs = leftMs();
    try {
      const result = await attempt(lastMs);
      if (result !== null) return result;
      if (lastMs === 0) throw noneGood();
    } catch (error) {
      signal.throwIfAborted();
      if (!isAway(error) || lastMs === 0) throw error;
    }
    signal.throwIfAborted();
    await pause(Math.min(backoffMs(failures), leftMs()), { signal, onNews });
    signal.throwIfAborted();
  }
}

/** Whether trying again may help: the daemon does not run, or has just hung up. */
export function isAway(error: unknown): boolean {
  return error instanceof AuthdError && error.code === 'daemon_not_running';
}

function noneGood(): AuthdError {
  return new AuthdError('unavailable', 'no answer of the daemon was still good when it came', {
    hint: 'ask again; if it goes on, check the clock of this machine',
  });
}
