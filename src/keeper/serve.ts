import type { PublishedCredential } from '../core/credential.js';
import type { Login } from '../core/login.js';
import { unservedCode } from '../core/reasons.js';
import type { Setback } from '../core/setback.js';
import type { KeeperState } from '../core/state.js';
import { AuthdError } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import type { CredentialRequest } from './snapshot.js';
import type { RateLimit } from './rate-limit.js';
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
  clock: Clock,
): Promise<PublishedCredential> {
  const giveUpAtMs = clock.now() + waitMs;
  while (kept.isWorthRotating(minValidMs)) {
    const help = helpBefore(kept, giveUpAtMs, clock);
    if (help === null) break;
    const inTime = await settledWithin(help, giveUpAtMs - clock.now(), clock, signal);
    if (!inTime) break;
  }
  return kept.servable ?? fail(kept);
}

/** What a consumer may wait for: the rotation in flight, a new one, or the next attempt; null if nothing will help in time. */
function helpBefore(kept: Kept, giveUpAtMs: number, clock: Clock): Promise<void> | null {
  if (kept.flight !== null) return kept.flight;
  const retryAtMs = kept.setback === null ? clock.now() : kept.setback.retryAtMs;
  if (retryAtMs === null || retryAtMs > giveUpAtMs) return null;
  if (retryAtMs <= clock.now()) return kept.rotate();
  return kept.servable === null ? pause(clock, retryAtMs - clock.now()) : null;
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
  clock: Clock,
  limit: RateLimit,
): Promise<PublishedCredential> {
  refuseHopeless(kept, clock);
  if (kept.flight === null) limit.take(clock.now());
  const before = kept.generation;
  const inTime = await settledWithin(kept.rotate(), waitMs, clock, signal);
  const now = kept.servable;
  if (now !== null && now.generation !== before) return now;
  return fail(kept, inTime ? undefined : 'the new credential did not come in time');
}

function refuseHopeless(kept: Kept, clock: Clock): void {
  const { login, state, setback } = kept;
  if (login.kind === 'api_key' || login.kind === 'personal_access_token') {
    throw new AuthdError('unsupported', 'this login does not expire: there is nothing to refresh', {
      reason: state.reason,
    });
  }
  if (login.kind === 'none' || state.name === 'login_required') fail(kept);
  const isRisky = setback?.trouble.reason === 'outcome_unknown' && (setback.retryAtMs ?? 0) > clock.now();
  if (isRisky && kept.servable !== null) fail(kept);
}

function fail(kept: Kept, detail?: string): never {
  const { state } = kept;
  throw new AuthdError(unservedCode(state.name), detail ?? state.detail, {
    hint: state.hint ?? undefined,
    reason: state.reason,
    retryAtMs: kept.nextRotationAtMs ?? undefined,
  });
}
