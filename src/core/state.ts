import type { Credential } from './credential.js';
import type { Login } from './login.js';
import { REASONS, type ReasonCode, type ReasonOf, type StateName } from './reasons.js';

export type { ReasonCode, StateName } from './reasons.js';

/** What went wrong last and has not been put right since. */
export interface Trouble {
  readonly reason: ReasonOf<'degraded' | 'login_required'>;
  readonly detail: string;
  /** What to do, where that is not what the reason says. */
  readonly hint?: string | null;
}

/** The one value that status, problems, exit codes, metrics and notifications show. Replaced whole. */
export interface KeeperState {
  readonly name: StateName;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly detail: string;
  /** The next step for a person; null if there is none. */
  readonly hint: string | null;
  /** Whether a credential is served now. */
  readonly serving: boolean;
  /** Until when what is served now stays valid; null if it does not expire, or nothing is served. */
  readonly servesUntilMs: number | null;
}

/** All that decides the state of a keeper. */
export interface KeeperFacts {
  readonly login: Login;
  readonly nowMs: number;
  readonly rotating: boolean;
  readonly trouble: Trouble | null;
}

/** The state that these facts amount to. Pure. */
export function decideState({ login, nowMs, rotating, trouble }: KeeperFacts): KeeperState {
  if (login.kind === 'none') return stateOf(login.reason, login.detail, null);
  const served = servable(login.credential, nowMs) ? login.credential : null;
  if (login.kind !== 'chatgpt') {
    const what = login.kind === 'api_key' ? 'an API key' : 'a personal access token';
    return stateOf('does_not_expire', `${what} is served as it is: it does not expire`, served);
  }
  if (rotating) return stateOf('rotation_in_flight', 'a new access token is being fetched', served);
  if (trouble !== null) return stateOf(trouble.reason, trouble.detail, served, trouble.hint);
  if (served === null) return stateOf('expired', 'the access token has expired', null);
  if (served.expiresAtMs === null) {
    return stateOf('expiry_unknown', 'the access token is served, but does not say when it expires', served);
  }
  return stateOf('valid', 'the access token is valid', served);
}

/** Whether a credential may still be given out. */
export function servable(credential: Credential, nowMs: number): boolean {
  return credential.expiresAtMs === null || credential.expiresAtMs > nowMs;
}

/** Whether two states are the same to whoever looks at them. */
export function sameState(a: KeeperState, b: KeeperState): boolean {
  return (
    a.name === b.name &&
    a.reason === b.reason &&
    a.detail === b.detail &&
    a.serving === b.serving &&
    a.servesUntilMs === b.servesUntilMs
  );
}

function stateOf(
  reason: ReasonCode,
  detail: string,
  served: Credential | null,
  hint?: string | null,
): KeeperState {
  return {
    name: REASONS[reason].state,
    reason,
    detail,
    hint: hint ?? REASONS[reason].hint,
    serving: served !== null,
    servesUntilMs: served?.expiresAtMs ?? null,
  };
}
