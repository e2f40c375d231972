import type { PublishedCredential } from '../core/credential.js';
import type { PublicationSource } from '../core/publication.js';
import type { KeeperState } from '../core/state.js';
import type { LoginKind, PublicationState, RotationCounts } from '../protocol.js';

/** One account at one instant: all that a status needs, and no token beside the servable credential. */
export interface KeeperSnapshot {
  readonly account: string;
  readonly state: KeeperState;
  /** The credential that may be given out now; null if there is none. */
  readonly credential: PublishedCredential | null;
  /** The login in the file, also when its credential has expired; null if there is none. */
  readonly login: LoginFacts | null;
  /** When the token endpoint will next be asked, in milliseconds since the epoch; null if it will not. */
  readonly nextRotationAtMs: number | null;
  readonly lastRotationAtMs: number | null;
  readonly authFile: string;
  readonly tokenEndpoint: string;
  readonly counts: RotationCounts;
  /** How far this machine's clock is behind the server's, in milliseconds; negative where it is ahead. */
  readonly clockOffsetMs: number;
  /** Where the credential is published as a file. */
  readonly published: readonly PublicationFacts[];
}

/** How a publication is. */
export interface PublicationFacts {
  readonly directory: string;
  readonly path: string;
  readonly source: PublicationSource;
  readonly condition: PublicationCondition;
}

export interface PublicationCondition {
  readonly name: PublicationState;
  /** One sentence. */
  readonly detail: string;
  /** What a person should do next; null if there is nothing to do. */
  readonly hint: string | null;
  /** Of the credential that was last put into the file; null if it was removed, or nothing has been put there yet. */
  readonly generation: number | null;
  readonly fingerprint: string | null;
}

/** A credential that is in a published file, durably. */
export interface Published {
  readonly directory: string;
  readonly path: string;
  readonly generation: number;
  readonly fingerprint: string;
  readonly expiresAtMs: number | null;
}

/** What may be shown of a login. */
export interface LoginFacts {
  readonly kind: LoginKind;
  readonly email: string | null;
  readonly accountId: string | null;
  readonly plan: string | null;
  /** Of the access token. */
  readonly fingerprint: string;
  readonly generation: number;
  readonly issuedAtMs: number | null;
  readonly expiresAtMs: number | null;
  readonly writtenBy: 'codex-authd' | 'another process';
  readonly writtenAtMs: number;
}

/** What a keeper tells its subscribers. Each event is the full state of its kind. */
export type KeeperEvent =
  | { readonly type: 'credential'; readonly credential: PublishedCredential }
  | { readonly type: 'state'; readonly snapshot: KeeperSnapshot };

/** How long a consumer needs the credential, and how long it is ready to wait for it. */
export interface CredentialRequest {
  /** Ask for at least this much validity, in milliseconds. */
  readonly minValidMs: number;
  readonly waitMs: number;
  /** Ends the waiting, never a rotation. */
  readonly signal?: AbortSignal;
}

/** A consumer's word that a token was answered with a 401. */
export interface RejectionRequest extends CredentialRequest {
  /** Of the access token. */
  readonly fingerprint: string;
}

/** What became of a file that is not published any more. */
export interface Unpublished {
  readonly directory: string;
  readonly path: string;
  /** False if there was none, or one that is somebody else's. */
  readonly removed: boolean;
}

/** Where somebody wants the credential as a file. */
export interface PublishRequest extends CredentialRequest {
  /** Absolute. */
  readonly directory: string;
}

/**
 * The side of a keeper that the server sees.
 */
export interface CredentialKeeper {
  readonly account: string;
  /** The time by which its tokens are judged, in milliseconds since the epoch. */
  now(): number;
  snapshot(): KeeperSnapshot;
  /**
   * The current credential; rotates and waits if it does not stay valid for `minValidMs`.
   *
   * @throws AuthdError with an {@link UnservedCode} if there is nothing valid to give out
   */
  credential(request: CredentialRequest): Promise<PublishedCredential>;
  /**
   * Rotates now, or joins the rotation in flight.
   *
   * @throws AuthdError `rate_limited` if the last explicit refresh was less than 5 s ago,
   *   with an {@link UnservedCode} if it failed
   */
  refresh(request: Pick<CredentialRequest, 'waitMs' | 'signal'>): Promise<PublishedCredential>;
  /**
   * Another credential than the reported one: the current one if it is another, else the one after a rotation, of which
   * there is at most one a minute on such reports.
   *
   * @throws AuthdError `rate_limited` if the last one was less than a minute ago, `unsupported` if the login cannot be
   *   renewed, with an {@link UnservedCode} if there is no other credential in time
   */
  rejected(request: RejectionRequest): Promise<PublishedCredential>;
  /**
   * Keeps the credential, without its refresh token, as auth.json in a directory from now on, also after a restart.
   * Resolves when the file is there, durably.
   *
   * @throws AuthdError `bad_request` if the directory cannot be one, or its auth.json is somebody else's; `unsupported`
   *   if the login has no such form; with an {@link UnservedCode} if there is nothing valid, or it cannot be written
   */
  publish(request: PublishRequest): Promise<Published>;
  /**
   * Stops that, and removes the file. Resolves to whether there was one to remove.
   *
   * @throws AuthdError `not_found` if nothing is published there, `bad_request` if the configuration says that it is,
   *   `unavailable` if the file cannot be removed: it is kept up to date then
   */
  unpublish(request: Pick<PublishRequest, 'directory' | 'waitMs' | 'signal'>): Promise<Unpublished>;
  /** Calls `listener` on every new credential and on every change of state; returns how to stop that. */
  subscribe(listener: (event: KeeperEvent) => void): () => void;
}
