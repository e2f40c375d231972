import type { Clock } from '../os/clock.js';
import { CODEX_REFRESH_INTERVAL_SECONDS } from '../protocol.js';

/**
 * Who was given which token lately, for processes that say who they are. Codex runs its token command again at once when
 * the token was answered with a 401, and does not say so (facts 4.2): that it comes back before its interval is over is
 * all that tells.
 */
export interface Askers {
  /** The fingerprint of the token that this process has been given and must have seen rejected; else undefined. */
  recall(account: string, asker: string): string | undefined;
  /** This process is being given a token. */
  remember(account: string, asker: string, fingerprint: string): void;
}

interface Visit {
  readonly fingerprint: string;
  readonly atMs: number;
}

/**
 * Codex counts its interval from when it has the token, later than we count: a run on schedule never looks early. The
 * margin is for two clocks that do not go alike.
 */
const MARGIN_MS = 5_000;
const INTERVAL_MS = CODEX_REFRESH_INTERVAL_SECONDS * 1000 - MARGIN_MS;
/** Far above the processes that one machine runs at a time. Who is forgotten is served as one who comes first. */
const MOST_REMEMBERED = 4096;

export function createAskers(clock: Clock): Askers {
  /** The one that came longest ago first. */
  const visits = new Map<string, Visit>();

  function forgetOld(): void {
    for (const [key, { atMs }] of visits) {
      if (visits.size <= MOST_REMEMBERED && clock.monotonicMs() - atMs < INTERVAL_MS) return;
      visits.delete(key);
    }
  }

  return {
    recall(account, asker) {
      forgetOld();
      return visits.get(keyOf(account, asker))?.fingerprint;
    },
    remember(account, asker, fingerprint) {
      const key = keyOf(account, asker);
      visits.delete(key);
      visits.set(key, { fingerprint, atMs: clock.monotonicMs() });
      forgetOld();
    },
  };
}

/** No asker has a space in it. */
function keyOf(account: string, asker: string): string {
  return `${asker} ${account}`;
}
