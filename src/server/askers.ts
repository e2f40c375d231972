import type { Clock } from '../os/clock.js';
import { CODEX_REFRESH_INTERVAL_SECONDS } from '../protocol.js';

/**
 * Who was given which token lately, for processes that say who they are. Codex runs its token command again at once when
 * the token was answered with a 401, and does not say so (facts 4.2): that it comes back with no other reason is all
 * that tells. The other reasons are two, measured with the real ones:
 *
 * - Its interval is over. It has one from each of its runs that began a series.
 * - It has only just started. 0.163.0 begins two series, the second 0.1 to 0.5 s after the first, whatever the answer
 *   was; 0.169.0 begins one. Which one comes back cannot be told, so the second run of a young process counts for
 *   nothing; a 401 in there is noticed by the third, which comes about 0.3 s later: both versions ask at least five
 *   times before they give a turn up.
 */
export interface Askers {
  /** The fingerprint of the token that this process has been given and must have seen rejected; else undefined. */
  recall(account: string, asker: string): string | undefined;
  /** This process is being given a token. */
  remember(account: string, asker: string, fingerprint: string): void;
}

interface Visits {
  readonly fingerprint: string;
  readonly firstMs: number;
  /** When each series began anew, the earlier first; one or two. */
  readonly seriesMs: readonly number[];
  readonly lastMs: number;
}

type Reason = 'first' | 'start' | 'interval' | 'rejection';

/**
 * Codex counts its interval from when it has the token, later than we count: a run on schedule never looks early. The
 * margin is for two clocks that do not go alike.
 */
const MARGIN_MS = 5_000;
const INTERVAL_MS = CODEX_REFRESH_INTERVAL_SECONDS * 1000 - MARGIN_MS;
/** For how long a process is young: far longer than Codex needs to start on a machine that has too much to do. */
const YOUTH_MS = 10_000;
/** Of the newest version that begins more than one. */
const MOST_SERIES = 2;
/** Of two series one may be well behind the other. */
const MEMORY_MS = 2 * INTERVAL_MS;
/** Far above the processes that one machine runs at a time. Who is forgotten is served as one who comes first. */
const MOST_REMEMBERED = 4096;

export function createAskers(clock: Clock): Askers {
  /** The one that came longest ago first. */
  const known = new Map<string, Visits>();

  function forgetOld(): void {
    for (const [key, { lastMs }] of known) {
      if (known.size <= MOST_REMEMBERED && clock.monotonicMs() - lastMs < MEMORY_MS) return;
      known.delete(key);
    }
  }

  return {
    recall(account, asker) {
      forgetOld();
      const visits = known.get(keyOf(account, asker));
      return reasonOf(visits, clock.monotonicMs()) === 'rejection' ? visits?.fingerprint : undefined;
    },
    remember(account, asker, fingerprint) {
      const key = keyOf(account, asker);
      const nowMs = clock.monotonicMs();
      const before = known.get(key);
      known.delete(key);
      known.set(key, {
        fingerprint,
        firstMs: before?.firstMs ?? nowMs,
        seriesMs: continued(before, nowMs),
        lastMs: nowMs,
      });
      forgetOld();
    },
  };
}

/** Why a process comes now. */
function reasonOf(visits: Visits | undefined, nowMs: number): Reason {
  if (visits === undefined) return 'first';
  const { firstMs, seriesMs } = visits;
  if (seriesMs.some((beganMs) => nowMs - beganMs >= INTERVAL_MS)) return 'interval';
  return nowMs - firstMs < YOUTH_MS && seriesMs.length < MOST_SERIES ? 'start' : 'rejection';
}

/** Its series after this visit. */
function continued(visits: Visits | undefined, nowMs: number): readonly number[] {
  const seriesMs = visits?.seriesMs ?? [];
  switch (reasonOf(visits, nowMs)) {
    case 'first':
    case 'start':
      return [...seriesMs, nowMs];
    case 'interval':
      return [...seriesMs.slice(1), nowMs];
    case 'rejection':
      // The series that the turns of a process belong to is the one that it went on with last.
      return [...seriesMs.slice(0, -1), nowMs];
  }
}

/** No asker has a space in it. */
function keyOf(account: string, asker: string): string {
  return `${asker} ${account}`;
}
