import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { lock } from 'proper-lockfile';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { lockPath } from './socket-names.js';

/** The least that proper-lockfile allows: after a kill between lock and release, the next start waits so long. */
const STALE_MS = 2000;
const RETRY_MS = 50;
const LONGEST_WAIT_MS = 4000;

/**
 * Keeps other daemons from probing and replacing the same socket at the same time. Held for milliseconds.
 *
 * @throws AuthdError `already_running` if another one holds it all the time, `bad_socket` if it cannot be made
 */
export async function lockSocket(path: string, log: Logger): Promise<() => Promise<void>> {
  const lockfilePath = lockPath(path);
  const giveUpMs = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    try {
      const release = await lock(path, {
        lockfilePath,
        realpath: false,
        stale: STALE_MS,
        // The default throws from a timer and would end the daemon (facts 5.1). Nothing depends on the lock alone.
        onCompromised: (error) => {
          log.warn({ error: error.message }, 'the lock of the socket was lost');
        },
      });
      return () => letGo(release, log);
    } catch (error) {
      if (systemErrorCode(error) !== 'ELOCKED') throw lockFailure(lockfilePath, error);
      if (performance.now() > giveUpMs) throw lockedElsewhere(path, lockfilePath);
    }
    await sleep(RETRY_MS * (1 + Math.random()));
  }
}

/** A lock that was taken over must not make a start or a stop fail after all went well. */
async function letGo(release: () => Promise<void>, log: Logger): Promise<void> {
  try {
    await release();
  } catch (error) {
    log.warn({ error: describeError(error) }, 'the lock of the socket could not be released');
  }
}

function lockedElsewhere(path: string, lockfilePath: string): AuthdError {
  return new AuthdError('already_running', `another daemon is just starting or stopping at ${path}`, {
    hint: `try again; if no daemon is running, remove ${lockfilePath}`,
  });
}

function lockFailure(lockfilePath: string, cause: unknown): AuthdError {
  return new AuthdError(
    'bad_socket',
    `the lock of the socket cannot be made: ${lockfilePath}: ${systemErrorCode(cause) ?? 'unknown error'}`,
    { hint: 'choose another path with --socket', cause },
  );
}
