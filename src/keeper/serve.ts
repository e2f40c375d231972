import type { PublishedCredential } from '../core/credential.js';
import type { Login } from '../core/login.js';
import { unservedCode } from '../core/reasons.js';
import type { Setback } from '../core/setback.js';
import type { KeeperState } from '../core/state.js';
import { AuthdError } from '../errors.js';
import type { CredentialRequest, KeeperEvent } from './snapshot.js';
import type { RateLimit } from './rate-limit.js';
import type { ServerTime } from './server-time.js';
import { settledWithin } from './wait.js';

/** The account as it is for whoever serves its consumers. Every getter tells of this instant. */
export interface Kept {
  readonly login: Login;
  readonly state: KeeperState;
  readonly servable: PublishedCredential | null;
  /** The number of the credential in the file, expired or not; 0 if there is none. */
  readonly generation: number;
  readonly setback: Setback | null;
  readonly flight: Promise<void> | null;
  readonly nextRotationAtMs: number | null;
  /** How often the token endpoint was asked. */
  readonly requests: number;
  /** Looks at the file. Never rejects. */
  observe(): Promise<void>;
  subscribe(listener: (event: KeeperEvent) => void): () => void;
  isWorthRotating(minValidMs: number): boolean;
  rotate(): Promise<void>;
}

/**
 * The credential for a consumer: the current one if it stays valid for long enough, else the one after a rotation,
 * else the current one to its end.
 *
 * @throws AuthdError with the code of the state if there is nothing valid to give out
 */
export async function serveCredential(
  kept: Kept,
  { minValidMs, waitMs, signal }: CredentialRequest,
  time: ServerTime,
): Promise<PublishedCredential> {
  const giveUpAtMs = time.monotonicMs() + waitMs;
  while (kept.isWorthRotating(minValidMs)) {
    const help = helpWithin(kept, giveUpAtMs - time.monotonicMs(), time.now());
    if (help === null) break;
    const inTime = await settledWithin(help.work, help.waitMs, time, signal);
    if (!inTime && (signal?.aborted === true || time.monotonicMs() >= giveUpAtMs)) break;
  }
  return kept.servable ?? fail(kept, time);
}

/** Something that may help a consumer, and how long to wait for it. */
interface Help {
  readonly work: Promise<void>;
  readonly waitMs: number;
}

/**
 * Never done: whoever waits for it waits for the time alone. A new one each time, because a promise keeps all who ever
 * waited for it.
 */
function nothing(): Promise<void> {
  return new Promise<void>(() => undefined);
}

/** What to wait for: the rotation in flight, a new one, or the time of the next attempt; null if nothing helps in time. */
function helpWithin(kept: Kept, waitMs: number, nowMs: number): Help | null {
  if (kept.flight !== null) return { work: kept.flight, waitMs };
  const retryAtMs = kept.setback === null ? nowMs : kept.setback.retryAtMs;
  if (retryAtMs === null || retryAtMs > nowMs + waitMs) return null;
  if (retryAtMs <= nowMs) return { work: kept.rotate(), waitMs };
  return kept.servable === null ? { work: nothing(), waitMs: retryAtMs - nowMs } : null;
}

/**
 * A rotation on a person's word.
 *
 * @throws AuthdError `rate_limited` soon after the last one; with the code of the state if there is nothing to
 *   rotate, if asking again could end the login, or if the rotation failed
 */
export async function serveRefresh(
  kept: Kept,
  { waitMs, signal }: Pick<CredentialRequest, 'waitMs' | 'signal'>,
  time: ServerTime,
  limit: RateLimit,
): Promise<PublishedCredential> {
  refuseHopeless(kept, time);
  if (kept.flight === null) spend(limit, time);
  const before = kept.generation;
  const giveUpAtMs = time.monotonicMs() + waitMs;
  for (let attempt = 0; attempt < REFRESH_ATTEMPTS; attempt += 1) {
    const inTime = await settledWithin(kept.rotate(), giveUpAtMs - time.monotonicMs(), time, signal);
    const now = kept.servable;
    if (now !== null && now.generation !== before) return now;
    if (!inTime) return fail(kept, time, { detail: 'the new credential did not come in time' });
    if (kept.state.name !== 'fresh') return fail(kept, time);
  }
  return fail(kept, time, { detail: 'the rotation brought no new credential' });
}

/** A rotation may end before it has sent anything, for what it met in the file: the next one knows better. */
const REFRESH_ATTEMPTS = 2;

/** @throws AuthdError `rate_limited` soon after the last refresh */
function spend(limit: RateLimit, time: ServerTime): void {
  const leftMs = limit.leftMs(time);
  if (leftMs > 0) {
    throw new AuthdError('rate_limited', 'refreshed a moment ago', {
      hint: 'use the current credential, or ask again a little later',
      retryAtMs: time.toMachineTime(time.now() + leftMs),
    });
  }
  limit.spend(time);
}

/** @throws AuthdError `unsupported` where there is nothing to rotate */
export function refuseStatic({ login, state }: Kept, consequence: string, hint?: string): void {
  if (login.kind !== 'api_key' && login.kind !== 'personal_access_token') return;
  const what = login.kind === 'api_key' ? 'an API key' : 'a personal access token';
  throw new AuthdError('unsupported', `this login is ${what}, which does not expire: ${consequence}`, {
    hint,
    reason: state.reason,
  });
}

function refuseHopeless(kept: Kept, time: ServerTime): void {
  const { login, state, setback } = kept;
  refuseStatic(kept, 'there is nothing to refresh');
  if (login.kind === 'none' || state.name === 'login_required') fail(kept, time);
  const isRisky = setback?.onRejectionAtMs !== undefined && (setback.retryAtMs ?? 0) > time.now();
  if (isRisky && kept.servable !== null) fail(kept, time);
}

/**
 * Says why there is nothing to give out: the account's state, unless `detail` tells it better; and when asking again is
 * worth it, by this machine's clock, unless that is when the keeper rotates next.
 */
export function fail(
  kept: Kept,
  time: ServerTime,
  { detail, retryAtMs }: { readonly detail?: string; readonly retryAtMs?: number } = {},
): never {
  const { state, nextRotationAtMs } = kept;
  // The end of a rotation in flight is not known, and what is due after it is no time to ask again at.
  const isAhead = kept.flight === null && nextRotationAtMs !== null && nextRotationAtMs > time.now();
  throw new AuthdError(unservedCode(state.name), detail ?? state.detail, {
    hint: state.hint ?? undefined,
    reason: state.reason,
    // Who waits for it has no other clock than this machine's.
    retryAtMs: retryAtMs ?? (isAhead ? time.toMachineTime(nextRotationAtMs) : undefined),
  });
}
