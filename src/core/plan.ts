import { createHash } from 'node:crypto';
import type { Credential } from './credential.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** When to rotate and how patiently to try again. Every number can be set in the configuration. */
export interface RefreshPolicy {
  /** The lead before expiry, as a fraction of the token's lifetime. */
  readonly leadFraction: number;
  readonly leadMinMs: number;
  readonly leadMaxMs: number;
  /** Up to this fraction of the lead is waited longer, so that accounts and machines spread out. */
  readonly jitterFraction: number;
  /** No rotation by itself sooner than this after issue, unless the lifetime demands it. */
  readonly minAgeMs: number;
  /** When a token does not say its expiry: due this long after `last_refresh`. */
  readonly unreadableExpiryAfterMs: number;
  /** After an unknown outcome: asked again this long before expiry, and no sooner. */
  readonly lastSafeMomentMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How often an offline machine looks whether the token endpoint can be reached. */
  readonly offlineRetryMs: number;
  /** Explicit refreshes, and rotations on a consumer's demand, are at least this far apart. */
  readonly demandIntervalMs: number;
  /** Rotations because a consumer reports a token as rejected are at least this far apart. */
  readonly rejectionIntervalMs: number;
}

export const DEFAULT_POLICY: RefreshPolicy = {
  leadFraction: 0.25,
  leadMinMs: 10 * MINUTE,
  leadMaxMs: 3 * DAY,
  jitterFraction: 0.1,
  minAgeMs: MINUTE,
  unreadableExpiryAfterMs: 7 * DAY,
  lastSafeMomentMs: 10 * MINUTE,
  backoffMinMs: 5 * SECOND,
  backoffMaxMs: 15 * MINUTE,
  offlineRetryMs: 15 * SECOND,
  demandIntervalMs: 5 * SECOND,
  rejectionIntervalMs: MINUTE,
};

/** What the planner must know of a credential beside its claims. */
export interface Provenance {
  /** When this daemon first had it, in milliseconds since the epoch. */
  readonly obtainedAtMs: number;
  /** Whether it came from a rotation of this daemon's, so that `obtainedAtMs` is when it was issued. */
  readonly rotated: boolean;
  /** The file's `last_refresh`. */
  readonly lastRefreshMs: number | null;
  /** Names the credential among all others: account and generation. */
  readonly jitterSeed: string;
}

/** When a credential is due for rotation, in milliseconds since the epoch. Pure; never NaN. */
export function dueAt(credential: Credential, provenance: Provenance, policy: RefreshPolicy): number {
  const { expiresAtMs } = credential;
  const earliestAtMs = earliestRotation(credential, provenance, policy);
  if (expiresAtMs === null) {
    const sinceMs = provenance.rotated ? provenance.obtainedAtMs : provenance.lastRefreshMs;
    return Math.max((sinceMs ?? provenance.obtainedAtMs) + policy.unreadableExpiryAfterMs, earliestAtMs);
  }
  const lifetimeMs = lifetimeOf(expiresAtMs, credential, provenance);
  const leadMs = Math.min(
    Math.max(lifetimeMs * policy.leadFraction, policy.leadMinMs),
    policy.leadMaxMs,
    lifetimeMs / 2,
  );
  const jitterMs = leadMs * policy.jitterFraction * fractionOf(provenance.jitterSeed);
  // What was obtained when the clock was wrong may seem to be obtained later than it expires.
  return Math.max(expiresAtMs - leadMs + jitterMs, Math.min(earliestAtMs, expiresAtMs));
}

/**
 * The instant before which a credential is not rotated unasked: a minute after its issue, or half its lifetime,
 * whichever is less. It keeps a server that issues very short tokens from being asked in a loop.
 */
export function earliestRotation(
  credential: Credential,
  provenance: Provenance,
  policy: RefreshPolicy,
): number {
  const { expiresAtMs } = credential;
  const issuedAtMs = issuedAt(credential, provenance);
  if (expiresAtMs === null) return issuedAtMs + policy.minAgeMs;
  return issuedAtMs + Math.min(policy.minAgeMs, lifetimeOf(expiresAtMs, credential, provenance) / 2);
}

/**
 * With so much left, a rotation that is due may still wait for its turn: Codex itself refreshes when 5 minutes are left
 * (facts 2.2), and whoever sends the token first must have done so by then.
 */
const MAY_WAIT_MS = 6 * MINUTE;

/** Whether a rotation that is due would lose nothing by waiting a little for those of other accounts. */
export function mayWait({ expiresAtMs }: Pick<Credential, 'expiresAtMs'>, nowMs: number): boolean {
  return expiresAtMs === null || expiresAtMs - nowMs > MAY_WAIT_MS;
}

/** A token of which less than this part of its life is gone is as good as a new one. */
const STILL_NEW = 1 / 20;
/** One that is too short for what is asked is replaced on demand only once this part of its life is gone. */
const WORTH_REPLACING = 1 / 4;

/**
 * Whether a consumer that asks for `minValidMs` is served by a rotation, and so that no consumer can drive the token
 * endpoint: what we have just rotated is not rotated again for it, and where the server's tokens are too short for
 * what is asked, the newest one has to do until a good part of its life is gone.
 */
export function worthRotating(
  credential: Credential,
  provenance: Provenance,
  policy: RefreshPolicy,
  minValidMs: number,
  nowMs: number,
): boolean {
  const { expiresAtMs } = credential;
  if (expiresAtMs === null) return false;
  const leftMs = expiresAtMs - nowMs;
  if (leftMs <= 0) return true;
  if (leftMs >= minValidMs) return false;
  const lifetimeMs = lifetimeOf(expiresAtMs, credential, provenance);
  const ageMs = nowMs - issuedAt(credential, provenance);
  if (lifetimeMs < minValidMs) {
    const isOldEnough = nowMs >= earliestRotation(credential, provenance, policy);
    return isOldEnough && ageMs >= lifetimeMs * WORTH_REPLACING;
  }
  return !provenance.rotated || ageMs >= Math.max(policy.demandIntervalMs, lifetimeMs * STILL_NEW);
}

/** A token of ours was issued when we got it; of another's only the token itself can tell. */
function issuedAt(credential: Credential, provenance: Provenance): number {
  const { obtainedAtMs, rotated } = provenance;
  return rotated ? obtainedAtMs : Math.min(credential.issuedAtMs ?? obtainedAtMs, obtainedAtMs);
}

function lifetimeOf(expiresAtMs: number, credential: Credential, provenance: Provenance): number {
  return Math.max(expiresAtMs - issuedAt(credential, provenance), 0);
}

/** How long to wait after the `failures`th failure in a row: exponential with full jitter, never under a second. */
export function backoffMs(failures: number, random: () => number, policy: RefreshPolicy): number {
  const ceiling = Math.min(policy.backoffMinMs * 2 ** Math.min(failures - 1, 30), policy.backoffMaxMs);
  return Math.max(ceiling * random(), Math.min(SECOND, ceiling));
}

/** A number in [0, 1) that is always the same for the same seed. */
function fractionOf(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32;
}
