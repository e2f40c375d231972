import { runWithInput, type RunFailure } from '../os/run-with-input.js';
import type { Notice } from './notice.js';

const DEADLINE_MS = 10_000;

/** Runs the command of `on_event` with a notice on its stdin. */
export function runHook(
  [file, ...args]: readonly [string, ...string[]],
  notice: Notice,
): Promise<RunFailure> {
  return runWithInput(file, args, { input: `${JSON.stringify(notice)}\n`, deadlineMs: DEADLINE_MS });
}
