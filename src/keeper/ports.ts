import type { AccountRecord } from '../core/account-record.js';
import type { Answer } from '../core/outcome.js';
import type { PublicationRecord } from '../core/publication.js';
import type { Reading } from '../core/reading.js';
import type { Secret } from '../core/secret.js';
import type { AuthdError } from '../errors.js';
import type { ClaimedDirectories } from './claimed-directories.js';

/**
 * What a keeper needs of the world. The daemon gives it the real things, the simulation virtual ones.
 */

/** One auth.json on disk. */
export interface AuthFilePort {
  readonly path: string;
  /** The file as it is at this moment, torn or not. */
  read(): Promise<Reading>;
  /** The file once its writer has finished. */
  readSettled(): Promise<Reading>;
  /**
   * Makes sure that a text of about `size` bytes can be stored. What is left of others goes only while the lock is held.
   *
   * @throws AuthdError `storage`
   */
  stage(size: number, isLockHeld: () => boolean): Promise<StagePort>;
  /**
   * Makes durable what is in the file now, which others wrote and need not have synced; or that there is none.
   *
   * @throws if the file system fails
   */
  confirm(): Promise<void>;
}

/** Room that is ready to become the new auth.json. */
export interface StagePort {
  /**
   * Replaces the file durably; resolves to false, with nothing changed, if it no longer reads `expected`.
   *
   * @throws if the file system fails; the file is then whole, the old or the new one
   */
  commit(expected: string, replacement: string): Promise<boolean>;
  /** Makes durable what is in the file now, where a commit failed after it had replaced the file. */
  confirm(): Promise<void>;
  discard(): Promise<void>;
}

/** Where refresh tokens are spent. */
export interface TokenEndpointPort {
  readonly url: string;
  /** Another one if a token that is rejected here may be accepted there. */
  readonly identity: string;
  /**
   * Gets everything ready, so that nothing but the connection and the sending is left for later.
   *
   * @throws AuthdError `bad_configuration`
   */
  prepare(): Promise<SendRefresh>;
}

/**
 * Sends a refresh token once; never rejects, never sends twice, follows no redirect. `onBytes` is given every piece of
 * a successful answer's body as it comes, before anything else is done with it. `mayLeave` is asked when the
 * connection is there, right before the token leaves: if it says no, the token was never sent.
 */
export type SendRefresh = (
  refreshToken: Secret,
  onBytes: (bytes: Uint8Array) => void,
  mayLeave: () => Promise<boolean>,
) => Promise<Answer>;

/** What a rotation is about to do: the fingerprint of the refresh token that it spends, and when it began. */
export interface Intent {
  readonly spent: string;
  readonly startedAtMs: number;
}

/** What a daemon before this one left. */
export interface Unfinished {
  /** The fingerprint of the refresh token that it had sent, or was about to send. */
  readonly spent: string;
  /** What had come of the answer's body, as text; empty if nothing. */
  readonly answer: string;
  /** In milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** Whether the answer outlives a loss of power: who wrote it may have been killed before it was synced. */
  readonly isDurable: boolean;
  /** False if it may be somebody else's, who may still be at it. */
  readonly isOwn: boolean;
}

/** Where a rotation is written down before and while it happens. */
export interface JournalPort {
  /** Whether it is read also by daemons that do not read the account's record. */
  readonly isShared: boolean;
  /**
   * Writes the intent down durably, with the space for the whole answer.
   *
   * @throws if the file system fails; nothing is left behind then
   */
  begin(intent: Intent): Promise<OpenJournalPort>;
  /**
   * What was left unfinished, by daemons before this one or by itself; not what is at work.
   *
   * @throws if something that is there cannot be read
   */
  read(): Promise<Unfinished[]>;
  /** Removes what is left of those before anything was written down, as long as the lock is held. */
  sweep(): Promise<void>;
  /** Removes what is written of the rotation that spent this token. */
  clear(spent: string): Promise<void>;
}

export interface OpenJournalPort {
  /** Takes the next bytes of the answer: one system call, and no way to throw. */
  record(bytes: Uint8Array): void;
  /**
   * Makes what was recorded outlive a loss of power.
   *
   * @throws if it is in memory only
   */
  seal(): Promise<void>;
  /**
   * Removes it durably, and no other of the same token: nothing was sent.
   *
   * @throws if the file system fails; it tells nothing any more, all the same
   */
  discard(): Promise<void>;
  close(): Promise<void>;
}

/** The right to rotate an account: one daemon at a time has it. */
export interface AccountLockPort {
  /**
   * Takes the lock unless it is held already. One that is taken anew may have been another daemon's until now.
   *
   * @throws AuthdError `already_running` if another daemon has it; `storage` if it cannot be made
   */
  ensure(): Promise<'held' | 'taken'>;
  /** False from the moment the lock was lost. */
  readonly held: boolean;
  /** Which taking of the lock this is: another one after every break. Null if it is not taken. */
  readonly tenure: object | null;
  /** Looks whether it is held still: it may have been lost a moment ago. Never rejects. */
  confirm(): Promise<boolean>;
  /** What the last attempt to take it met; null if that went well. */
  readonly refusal: AuthdError | null;
}

/** The right to send one refresh token. */
export interface TokenLock {
  release(): Promise<void>;
}

/** Who has that, whichever homes hold the token: one daemon at a time. */
export interface TokenLocksPort {
  /**
   * Resolves to null if somebody else has it.
   *
   * @throws if the file system fails
   */
  take(fingerprint: string): Promise<TokenLock | null>;
}

/** Whose turn it is among the accounts of a daemon, to rotate because it is time. Nobody who waits for a token asks it. */
export interface PacePort {
  /**
   * 0 if the account may begin now, by the monotonic clock: that is noted then. Else how long it has to wait before it asks
   * again, in milliseconds.
   */
  take(account: string, nowMs: number): number;
}

/** A login as far as other accounts of the daemon are concerned. */
export interface HeldLogin {
  /** Of its refresh token. */
  readonly fingerprint: string;
  readonly accountId: string | null;
}

/** Another account that a refresh token belongs to. */
export interface Owner {
  readonly account: string;
  readonly hasSpent: boolean;
}

/** The refresh tokens of all accounts of a daemon, by their fingerprints. */
export interface HoldingsPort {
  /** What the file of an account holds now; null if that is no login to rotate. */
  hold(account: string, login: HeldLogin | null): void;
  /** The account has spent this token: nobody else may send it any more. */
  spend(account: string, fingerprint: string): void;
  /** Another account that spent this token, or that has held it for longer than this one does; null if there is none. */
  ownerBefore(account: string, fingerprint: string): Owner | null;
  /** It is known what became of this token. */
  settle(fingerprint: string): void;
  /** Another account that held this token as well and went on from it: by rotating it, or by logging in; null if none did. */
  leaverOf(account: string, fingerprint: string): string | null;
}

/** Where the account's record lies. */
export interface RecordPort {
  /** To look at it, by whoever goes on with it later or not at all; null if there is none yet. */
  load(): Promise<AccountRecord | null>;
  /** To go on with it: whoever has the lock now may write it afterwards. */
  open(): Promise<AccountRecord | null>;
  /** Resolves to whether it outlives this process: it is not ours to write while another daemon keeps the account. */
  save(record: AccountRecord): Promise<boolean>;
}

/** The auth.json of a directory in which consumers find the credential without its refresh token. */
export interface PublishedFilePort {
  /** Absolute. */
  readonly directory: string;
  readonly path: string;
  /**
   * Makes the directory if its parent is there.
   *
   * @throws AuthdError `storage`, `bad_request`
   */
  prepare(): Promise<void>;
  /**
   * The real path of the directory.
   *
   * @throws AuthdError `storage` if it is not there, with the file system's error as the cause
   */
  locate(): Promise<string>;
  /** Whether the directory is the home of this auth.json. */
  isHomeOf(authFile: string): Promise<boolean>;
  /** Whether the file reads so at this moment. */
  reads(text: string): Promise<boolean>;
  /**
   * Makes the file read `text`, durably and at once.
   *
   * @throws AuthdError `bad_request` if what is there is not ours; `storage`
   */
  put(text: string, isOurs: (text: string) => boolean): Promise<void>;
  /**
   * Removes the file if it is ours.
   *
   * @throws AuthdError `storage`
   */
  remove(isOurs: (text: string) => boolean): Promise<'removed' | 'absent' | 'foreign'>;
}

/** Where it is remembered what is published. */
export interface PublicationStorePort {
  load(): Promise<readonly PublicationRecord[]>;
  /** Durably. */
  save(publications: readonly PublicationRecord[]): Promise<void>;
}

/** What publications need of the world. */
export interface PublicationPorts {
  readonly fileIn: (directory: string) => PublishedFilePort;
  readonly store: PublicationStorePort;
  /** Shared by all accounts that one daemon keeps. */
  readonly directories: ClaimedDirectories;
}

/** Where a keeper writes what it did. Pino's logger is one. */
export interface LogPort {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
