import type { Clock } from '../os/clock.js';

/** What the watchdog asks before it says that the daemon is well. That it asks at all shows that the event loop turns. */
export interface WatchdogOptions {
  /** After so long without a word the service manager kills the daemon, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
  /** When the tick last came, on the monotonic clock. */
  readonly lastTickMs: () => number;
  /** Asks the daemon's own socket, as any client would. */
  readonly answers: () => Promise<boolean>;
  readonly alive: () => void;
  readonly log: { warn(fields: object, message: string): void };
}

/** Ticks come every ten seconds: three in a row that did not come are no chance. */
const LONGEST_WITHOUT_TICK_MS = 35_000;

/** Asked so often that two failures in a row, on a machine that is busy, are still forgiven. */
const CHECKS_PER_PATIENCE = 4;

/** Says that the daemon is well as long as it is. Returns how to stop that. */
export function startWatchdog(options: WatchdogOptions): () => void {
  const { patienceMs, clock, alive, log } = options;
  let cancel = (): void => undefined;
  let isOver = false;
  const check = async (): Promise<void> => {
    const trouble = await findTrouble(options);
    if (hasEnded()) return;
    if (trouble === null) alive();
    else log.warn({ trouble }, 'the watchdog is not told that all is well');
    cancel = clock.after(patienceMs / CHECKS_PER_PATIENCE, () => void check());
  };
  const hasEnded = (): boolean => isOver;
  void check();
  return () => {
    isOver = true;
    cancel();
  };
}

async function findTrouble({ clock, lastTickMs, answers }: WatchdogOptions): Promise<string | null> {
  if (clock.monotonicMs() - lastTickMs() > LONGEST_WITHOUT_TICK_MS) return 'the tick stands still';
  return (await answers()) ? null : 'the socket does not answer';
}
