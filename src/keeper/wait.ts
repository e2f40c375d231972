import type { Clock } from '../os/clock.js';

/**
 * Waits for `work`, at most `waitMs` and only until `signal` is aborted. Resolves to whether the work was done in
 * time; the work itself goes on either way. Never rejects: what became of the work is for its owner to say.
 */
export function settledWithin(
  work: Promise<unknown>,
  waitMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (inTime: boolean): void => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      resolve(inTime);
    };
    const onAbort = (): void => {
      finish(false);
    };
    const cancelTimer = clock.after(waitMs, () => {
      finish(false);
    });
    if (signal?.aborted === true) {
      finish(false);
      return;
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    const onSettled = (): void => {
      finish(true);
    };
    work.then(onSettled, onSettled);
  });
}
