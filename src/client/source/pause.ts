/** What ends a pause before its time. */
export interface Disturbance {
  readonly signal?: AbortSignal | undefined;
  /** Calls `wake` when there is reason to go on; returns how to stop that. */
  readonly onNews: (wake: () => void) => () => void;
  /** Is told of the timer, before it can fire; returns what to do when it is over. */
  readonly onTimer?: (timer: NodeJS.Timeout) => () => void;
}

/** Resolves after `durationMs`, or as soon as it is disturbed. Never rejects. */
export function pause(durationMs: number, { signal, onNews, onTimer }: Disturbance): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      detach?.();
      stopListening();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    const detach = onTimer?.(timer);
    const stopListening = onNews(end);
    signal?.addEventListener('abort', end, { once: true });
  });
}
