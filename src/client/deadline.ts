import { AuthdError } from '../errors.js';

/** A signal that fires when the caller gives up or the time is up, whichever comes first. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Stops the clock; the caller can still give up. */
  disarm(): void;
  /** Stops the clock and lets go of the caller's signal. */
  release(): void;
}

/** How long the daemon may take to answer, beyond the time that it was asked to wait. */
export const ANSWER_MARGIN_MS = 3000;

/** Starts the clock. The signal's reason is an AuthdError `timeout`, or the reason of the caller's signal. */
export function startDeadline(durationMs: number, caller: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const giveUp = (): void => {
    controller.abort(caller?.reason);
  };
  const timer = setTimeout(() => {
    controller.abort(
      new AuthdError('timeout', `the daemon did not answer within ${String(durationMs / 1000)} s`, {
        hint: '`codex-authd doctor` says whether it hangs, and how to replace it',
      }),
    );
  }, durationMs);
  const disarm = (): void => {
    clearTimeout(timer);
  };
  if (caller?.aborted === true) giveUp();
  else caller?.addEventListener('abort', giveUp, { once: true });
  return {
    signal: controller.signal,
    disarm,
    release() {
      disarm();
      caller?.removeEventListener('abort', giveUp);
    },
  };
}
