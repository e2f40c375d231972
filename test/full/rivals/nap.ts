import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves to true when the time is over, at once and to false when the signal comes: `while (await nap(…)) …`. */
export async function nap(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
    return !signal.aborted;
  } catch {
    return false;
  }
}
