/**
 * What travels over the socket, version 1: everything that client and server share. Types and constants only,
 * so that importing it costs nothing.
 */
import type { ProblemCode } from './errors.js';
import type { ReasonCode, StateName } from './core/state.js';

/** What the daemon calls itself in the `Server` header of every answer, before its version: `codex-authd/0.1.0`. */
export const PRODUCT = 'codex-authd';

/** `GET /v1/credential`, and the data of a `credential` event. */
export interface CredentialBody {
  readonly account: string;
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** RFC 3339; null for a credential that does not expire, or whose expiry cannot be read. */
  readonly expires_at: string | null;
  /** What belongs into the `ChatGPT-Account-ID` header; null where there is no such account. */
  readonly account_id: string | null;
  readonly plan: string | null;
  /** Grows with each new credential of the account, also across restarts. */
  readonly generation: number;
  /** The first 12 hex digits of the access token's SHA-256. */
  readonly fingerprint: string;
  /** Where the token is good: the base URL for API requests. */
  readonly base_url: string;
}

/** What kind of login an account has: the kinds that can be served. */
export type LoginKind = 'chatgpt' | 'api_key' | 'personal_access_token';

/** One account in `GET /v1/status`, and the data of a `state` event. No token in it. */
export interface AccountStatus {
  readonly account: string;
  readonly state: StateName;
  readonly reason: ReasonCode;
  /** The state in one sentence. */
  readonly detail: string;
  /** What to do next; null if there is nothing to do. */
  readonly hint: string | null;
  /** Whether a credential is served now. */
  readonly serving: boolean;
  /** Until when what is served now stays valid; null if it does not expire, or nothing is served. */
  readonly serves_until: string | null;
  readonly login: LoginKind | null;
  readonly email: string | null;
  readonly account_id: string | null;
  readonly plan: string | null;
  readonly generation: number | null;
  readonly fingerprint: string | null;
  readonly issued_at: string | null;
  readonly expires_at: string | null;
  /** When the daemon will next ask the token endpoint; null if it will not. */
  readonly next_rotation_at: string | null;
  /** When this daemon, or one before it, last rotated. */
  readonly last_rotation_at: string | null;
  /** Who wrote auth.json as it is now. */
  readonly written_by: 'codex-authd' | 'another process' | null;
  readonly written_at: string | null;
  readonly auth_file: string;
  readonly token_endpoint: string;
  /** How far this machine's clock is behind the server's, by which tokens are judged; negative where it is ahead. */
  readonly clock_offset_seconds: number;
  /** Since the daemon started. */
  readonly counts: RotationCounts;
  /** The directories in which the credential lies as an auth.json without a refresh token. */
  readonly published: readonly PublicationStatus[];
}

/**
 * How a published file is: not written yet since the daemon started; there, with the current credential; removed, because
 * there is no valid credential; neither, because something is in the way.
 */
export type PublicationState = 'pending' | 'published' | 'withdrawn' | 'failing';

/** One published directory. No token in it. */
export interface PublicationStatus {
  readonly directory: string;
  readonly auth_file: string;
  /** Who asked for it: somebody on the socket, or the configuration file. */
  readonly source: 'request' | 'config';
  readonly state: PublicationState;
  /** The state in one sentence. */
  readonly detail: string;
  /** What to do next; null if there is nothing to do. */
  readonly hint: string | null;
  /** Of the credential that was last put there; null if there is none. */
  readonly generation: number | null;
  readonly fingerprint: string | null;
}

/** `PUT /v1/published`: the credential that is in the file, durably. */
export interface PublishedBody {
  readonly account: string;
  readonly directory: string;
  readonly auth_file: string;
  readonly generation: number;
  readonly fingerprint: string;
  /** RFC 3339; null where the expiry of the credential cannot be read. */
  readonly expires_at: string | null;
}

/** `DELETE /v1/published`. */
export interface UnpublishedBody {
  readonly account: string;
  readonly directory: string;
  readonly auth_file: string;
  /** False if there was no file any more, or one that somebody else had put there. */
  readonly removed: boolean;
}

/** Rotations of one account since the daemon started. */
export interface RotationCounts {
  /** Rotations that this daemon made and stored. */
  readonly own: number;
  /** Credentials that another process wrote and this daemon adopted. */
  readonly adopted: number;
  /** Requests to the token endpoint, whatever came of them. */
  readonly requests: number;
  /** Requests that brought no new credential. */
  readonly failures: number;
  /** Reports of consumers that the access token of that moment was answered with a 401. */
  readonly rejections: number;
}

/**
 * What the kernel offers to lock with: `flock`, without which Codex's own locks cannot be taken; on Linux else an
 * abstract socket, which still tells one daemon of this machine from another.
 */
export type KernelLocks = 'flock' | 'abstract socket' | 'none';

/** `GET /v1/status`. */
export interface StatusBody {
  readonly schema: 1;
  /** The daemon's version. */
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly started_at: string;
  readonly socket: string;
  readonly locks: KernelLocks;
  readonly accounts: readonly AccountStatus[];
}

/** `GET /healthz`. */
export interface HealthBody {
  readonly account: string;
  readonly state: StateName;
  readonly reason: ReasonCode;
  readonly detail: string;
}

/** Every failure: an RFC 9457 problem, `application/problem+json`. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly hint: string | null;
  /** When asking again is worth it; RFC 3339. */
  readonly retry_at: string | null;
  /** The account's reason code, where its state is the cause; else null. */
  readonly reason: ReasonCode | null;
}

/** The server-sent events of `GET /v1/events`, by name. */
export interface EventBodies {
  readonly credential: CredentialBody;
  readonly state: AccountStatus;
}

/** The account that is meant where none is named. */
export const DEFAULT_ACCOUNT = 'default';
/** `min_valid` where the request names none, in seconds. */
export const DEFAULT_MIN_VALID_SECONDS = 60;
/** `wait` where the request names none, in seconds. */
export const DEFAULT_WAIT_SECONDS = 25;
/** The largest `wait`, in seconds. */
export const LONGEST_WAIT_SECONDS = 600;
/** The largest `min_valid`, in seconds: 30 days, longer than any access token that Codex is given. */
export const LONGEST_MIN_VALID_SECONDS = 30 * 24 * 3600;
/**
 * How often Codex runs its token command unasked, in seconds: what `refresh_interval_ms` is set to (facts 4.2). A
 * second run by the same process before that means that the token of the first one was answered with a 401.
 */
export const CODEX_REFRESH_INTERVAL_SECONDS = 300;
