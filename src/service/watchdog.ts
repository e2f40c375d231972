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
  /** Whether a login may be lost if this process is killed: now, or a moment later. */
  readonly mayBeAtStake: () => boolean;
  /** Tells the manager that all is well, and how long it is to wait for the next word. */
  readonly alive: (patienceMs: number) => void;
  /** Tells it only how long: that counts as a word as well, so it is not said by a daemon that is not well. */
  readonly setPatience: (patienceMs: number) => void;
  readonly log: { warn(fields: object, message: string): void };
}

export interface Watchdog {
  /** To be called whenever `mayBeAtStake` may have become another one. */
  adjust(): void;
  stop(): void;
}

/** Ticks come every ten seconds: three in a row that did not come are no chance. */
const LONGEST_WITHOUT_TICK_MS = 35_000;

/** Asked so often that two failures in a row, on a machine that is busy, are still forgiven. */
const CHECKS_PER_PATIENCE = 4;

/**
 * How long a daemon may stand still (SIGSTOP, a freeze, a machine that swaps) while a refresh token is on its way: the answer
 * lies in its socket, and a kill would lose it.
 */
const PATIENCE_AT_STAKE_MS = 600_000;

/** Says that the daemon is well as long as it is. */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { patienceMs, clock, mayBeAtStake, alive, setPatience, log } = options;
  let cancel = (): void => undefined;
  let isOver = false;
  let isWell = false;
  let toldMs = patienceMs;
  const patienceNow = (): number =>
    mayBeAtStake() ? Math.max(patienceMs, PATIENCE_AT_STAKE_MS) : patienceMs;
  const check = async (): Promise<void> => {
    const trouble = await findTrouble(options);
    if (hasEnded()) return;
    isWell = trouble === null;
    // The patience as well: the last word of it may have been lost.
    if (trouble === null) {
      toldMs = patienceNow();
      alive(toldMs);
    } else log.warn({ trouble }, 'the watchdog is not told that all is well');
    cancel = clock.after(patienceMs / CHECKS_PER_PATIENCE, () => void check());
  };
  const hasEnded = (): boolean => isOver;
  void check();
  return {
    adjust() {
      const wantedMs = patienceNow();
      if (isOver || !isWell || wantedMs === toldMs) return;
      toldMs = wantedMs;
      setPatience(toldMs);
    },
    stop() {
      isOver = true;
      cancel();
    },
  };
}

async function findTrouble({ clock, lastTickMs, answers }: WatchdogOptions): Promise<string | null> {
  if (clock.monotonicMs() - lastTickMs() > LONGEST_WITHOUT_TICK_MS) return 'the tick stands still';
  return (await answers()) ? null : 'the socket does not answer';
}
