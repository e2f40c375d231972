import type { Outcome } from './outcome.js';
import { backoffMs, type RefreshPolicy } from './plan.js';
import type { Trouble } from './state.js';

/** A rotation that brought nothing: what was the matter, and when to try again. */
export interface Setback {
  readonly trouble: Trouble;
  /** Milliseconds since the epoch; null if trying again is pointless. */
  readonly retryAtMs: number | null;
  /** When to try again if a consumer reports the access token as rejected, where that is sooner. */
  readonly onRejectionAtMs?: number;
  /** Failures in a row that count towards the backoff. */
  readonly failures: number;
}

/** What decides how patient to be. */
export interface SetbackContext {
  /** The setback before this one, if it has not been put right. */
  readonly previous: Setback | null;
  readonly nowMs: number;
  /** Of the credential that is served meanwhile; null if unknown. */
  readonly expiresAtMs: number | null;
  readonly policy: RefreshPolicy;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Where nobody knows the expiry: we ask after 7 days, and Codex takes a login for stale after 8 (facts 2.2). */
const UNREADABLE_PATIENCE_MS = 24 * 3600 * 1000;

/** A server that asks for more patience than this is asked again all the same. */
const LONGEST_RETRY_AFTER_MS = 24 * 3600 * 1000;

/** When to try again after the token endpoint gave no tokens. */
export function setbackAfter(
  outcome: Exclude<Outcome, { kind: 'rotated' }>,
  context: SetbackContext,
): Setback {
  const { nowMs, policy, previous } = context;
  switch (outcome.kind) {
    case 'rejected':
      return {
        trouble: { reason: 'refresh_token_rejected', detail: outcome.detail },
        retryAtMs: null,
        failures: 0,
      };
    case 'unknown': {
      const trouble: Trouble = { reason: 'outcome_unknown', detail: outcome.detail };
      return inDoubt(setback(trouble, context, patience(outcome.afterMs)), context);
    }
    case 'retry': {
      const trouble: Trouble = { reason: outcome.reason, detail: outcome.detail };
      if (outcome.reason === 'offline') {
        return { trouble, retryAtMs: nowMs + policy.offlineRetryMs, failures: previous?.failures ?? 0 };
      }
      return setback(trouble, context, patience(outcome.afterMs));
    }
  }
}

function patience(afterMs: number | null = null): number {
  return Math.min(afterMs ?? 0, LONGEST_RETRY_AFTER_MS);
}

/** The same for a refresh token that may have been spent: asking again is put off, but for a report. */
export function inDoubt(next: Setback, context: SetbackContext): Setback {
  if (next.retryAtMs === null || next.onRejectionAtMs !== undefined) return next;
  const retryAtMs = Math.max(next.retryAtMs, lastSafeMoment(context));
  return { ...next, onRejectionAtMs: next.retryAtMs, retryAtMs };
}

/** A setback with exponential backoff, and no retry sooner than in `afterMs`. */
export function setback(
  trouble: Trouble,
  { previous, nowMs, policy, random }: SetbackContext,
  afterMs = 0,
): Setback & { readonly retryAtMs: number } {
  const failures = (previous?.failures ?? 0) + 1;
  const delayMs = Math.max(backoffMs(failures, random, policy), afterMs);
  return { trouble, retryAtMs: nowMs + delayMs, failures };
}

/** Asking again may end the login: it is put off until not asking would end the service. */
function lastSafeMoment({ nowMs, expiresAtMs, policy }: SetbackContext): number {
  return expiresAtMs === null ? nowMs + UNREADABLE_PATIENCE_MS : expiresAtMs - policy.lastSafeMomentMs;
}
