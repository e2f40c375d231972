import { describeError } from '../../errors.js';
import type { Clock } from '../../os/clock.js';
import { readEvents, type AuthdEvent } from '../events.js';
import { connectionLost } from '../failures.js';
import { backoffMs, STEADY_MS } from './backoff.js';
import { pause } from './pause.js';
import type { Handle, Refs } from './refs.js';

/** Whom to follow, and who is told. */
export interface FollowOptions {
  readonly socket: string;
  readonly account: string | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly refs: Refs;
  readonly onEvent: (event: AuthdEvent) => void;
  /** The connection is lost, or could not be made; it is tried again. */
  readonly onLost: (error: Error) => void;
}

/** A connection to the events that comes back for as long as it is wanted. */
export interface Following {
  /** There is reason to believe that the daemon can be reached: ends a pause. */
  hurry(): void;
  /** Resolves when the signal has ended it. Never rejects. */
  readonly ended: Promise<void>;
}

/** Connects at once, and again whenever the connection is lost. */
export function follow(options: FollowOptions): Following {
  const wakers = new Set<() => void>();

  async function run(): Promise<void> {
    const { signal, clock } = options;
    let failures = 0;
    for (;;) {
      const startedMs = clock.monotonicMs();
      const loss = await listen(options);
      if (signal.aborted) return;
      options.onLost(loss);
      failures = clock.monotonicMs() - startedMs > STEADY_MS ? 1 : failures + 1;
      await pause(backoffMs(failures), {
        signal,
        onTimer: (timer) => options.refs.attach(timer),
        onNews: (wake) => {
          wakers.add(wake);
          return () => wakers.delete(wake);
        },
      });
    }
  }

  return {
    hurry: () => {
      for (const wake of wakers) wake();
    },
    ended: run(),
  };
}

/** Passes on what comes over one connection, and resolves to why it is over. */
async function listen({ socket, account, signal, refs, onEvent }: FollowOptions): Promise<Error> {
  let detach = (): unknown => undefined;
  const onConnection = (connection: Handle): void => {
    detach = refs.attach(connection);
  };
  try {
    for await (const event of readEvents({ socket, account, signal, onConnection })) onEvent(event);
    return connectionLost(socket);
  } catch (error) {
    return error instanceof Error ? error : new Error(describeError(error));
  } finally {
    detach();
  }
}
