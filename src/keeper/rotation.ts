import type { AccountRecord, DeadToken } from '../core/account-record.js';
import type { Outcome } from '../core/outcome.js';
import type { Trouble } from '../core/state.js';
import { AuthdError, describeError } from '../errors.js';
import type { Clock } from '../os/clock.js';
import type { Harvest } from './harvest.js';
import type {
  AccountLockPort,
  AuthFilePort,
  JournalPort,
  TokenEndpointPort,
  TokenLocksPort,
} from './ports.js';

export interface RotationPorts {
  readonly authFile: AuthFilePort;
  readonly endpoint: TokenEndpointPort;
  readonly journal: JournalPort;
  readonly lock: AccountLockPort;
  readonly tokenLocks: TokenLocksPort;
  /**
   * What is remembered of other auth.json files in the same state directory: they may hold copies of this login.
   *
   * @throws if it cannot be told which there are
   */
  readonly otherRecords: () => Promise<readonly AccountRecord[]>;
  readonly clock: Clock;
  /** Told of tokens as soon as they have come, before anything is done with them that could fail. */
  readonly onHarvest: (harvest: Harvest) => void;
  /** Told of a refresh token that somebody has sent, and nobody knows what became of it. Whether that was news. */
  readonly onDoubt: (fingerprint: string) => boolean;
  /** Told of a refresh token that must not be sent: somebody else has written that down. */
  readonly onDead: (token: DeadToken) => Promise<unknown>;
}

/** How a rotation ended. */
export type RotationResult =
  /** The new tokens are in auth.json, durably. */
  | { readonly kind: 'stored' }
  /** Someone else changed the login: theirs is the truth, nothing of ours was stored. */
  | { readonly kind: 'overtaken'; readonly harvest: Harvest | null }
  /** The server gave tokens that could not be stored yet. They must not be lost. */
  | { readonly kind: 'not_stored'; readonly detail: string }
  /** The server gave no tokens. */
  | { readonly kind: 'failed'; readonly outcome: Exclude<Outcome, { kind: 'rotated' }> }
  /** Nothing was sent. */
  | { readonly kind: 'blocked'; readonly trouble: Trouble };

/** What was decided does not hold any more: it is decided anew. */
export const OVERTAKEN: RotationResult = { kind: 'overtaken', harvest: null };

/** Nothing was sent: what stood in the way. */
export function blocked(
  reason: Trouble['reason'],
  detail: string,
  hint: string | null = null,
): RotationResult {
  return { kind: 'blocked', trouble: { reason, detail, hint } };
}

/** The state directory does not do what a rotation needs of it. */
export function stateFailure(what: string, cause: unknown): AuthdError {
  const ownHint = cause instanceof AuthdError ? cause.hint : undefined;
  return new AuthdError('storage', `${what}: ${describeError(cause)}`, {
    hint: ownHint ?? 'free space, or make the state directory and what is in it readable and writable',
    cause,
  });
}
