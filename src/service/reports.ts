import type { Clock } from '../os/clock.js';
import type { Inheritance } from './inheritance.js';
import { openNotifier } from './notify.js';
import { summarize, type AccountSentence } from './summary.js';
import { startWatchdog, type Watchdog } from './watchdog.js';

/** A keeper, as far as the service manager is told of it. */
interface ReportedKeeper {
  snapshot(): { readonly state: { readonly name: string; readonly detail: string } };
  subscribe(listener: () => void): () => void;
}

export interface ReportsOptions {
  readonly inherited: Inheritance;
  readonly clock: Clock;
  /** Asks the daemon's own socket, as any client would. */
  readonly answers: () => Promise<boolean>;
  readonly accounts: {
    readonly keepers: ReadonlyMap<string, ReportedKeeper>;
    /** Whether a login may be lost if this process is killed: now, or a moment later. */
    readonly mayBeAtStake: boolean;
  };
  readonly log: { warn(fields: object, message: string): void };
}

/** What the service manager hears from the daemon, from its readiness to its end. */
export interface Reports {
  /** To be called at each tick. */
  tick(): void;
  /** Resolves after `reloaded`, when the manager knows that it is over. */
  whileReloading(reloaded: Promise<void>): Promise<void>;
  stop(): void;
}

/** Says that the daemon is ready, then each change of an account's state, and all the time that it is well. */
export async function startReports(options: ReportsOptions): Promise<Reports> {
  const { inherited, clock, answers, accounts, log } = options;
  const notifier = await openNotifier(inherited.notifySocket, log);
  let lastTickMs = clock.monotonicMs();
  let isStopping = false;
  let watchdog: Watchdog | undefined;
  const sentence = (): string => summarize([...accounts.keepers].map(sentenceOf));
  const tell = (): void => {
    if (isStopping) return;
    // A keeper tells that a rotation begins before it does anything for it: long before its token leaves.
    watchdog?.adjust();
    notifier.status(sentence());
  };
  let unsubscribe = follow(accounts.keepers, tell);
  notifier.ready(sentence());
  if (inherited.watchdogMs !== undefined) {
    watchdog = startWatchdog({
      patienceMs: inherited.watchdogMs,
      clock,
      lastTickMs: () => lastTickMs,
      answers,
      mayBeAtStake: () => accounts.mayBeAtStake,
      alive: (patienceMs) => {
        notifier.alive(patienceMs);
      },
      setPatience: (patienceMs) => {
        notifier.setPatience(patienceMs);
      },
      log,
    });
  }
  return {
    tick() {
      lastTickMs = clock.monotonicMs();
      tell();
    },
    async whileReloading(reloaded) {
      notifier.reloading();
      await reloaded;
      unsubscribe();
      unsubscribe = follow(accounts.keepers, tell);
      if (isStopping) return;
      notifier.ready(sentence());
      watchdog?.adjust();
    },
    stop() {
      isStopping = true;
      unsubscribe();
      watchdog?.stop();
      notifier.stopping();
    },
  };
}

function sentenceOf([account, keeper]: readonly [string, ReportedKeeper]): AccountSentence {
  const { name, detail } = keeper.snapshot().state;
  return { account, state: name, detail };
}

function follow(keepers: ReadonlyMap<string, ReportedKeeper>, tell: () => void): () => void {
  const ends = [...keepers.values()].map((keeper) => keeper.subscribe(tell));
  return () => {
    for (const end of ends) end();
  };
}
