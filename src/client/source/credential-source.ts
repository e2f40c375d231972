import { LONGEST_WAIT_SECONDS, type AccountStatus, type CredentialBody } from '../../protocol.js';
import { chooseAccount } from '../choose-account.js';
import { checkSeconds } from '../credential.js';
import { findSocket } from '../find-socket.js';
import { Connection } from './connection.js';
import { makeSource } from './source.js';

/** Which credential to hold. */
export interface CredentialSourceOptions {
  /** The socket's path; found as the command line finds it if absent. */
  readonly socket?: string | undefined;
  /** The account's name; `$CODEX_AUTHD_ACCOUNT`, else `default`, if absent. */
  readonly account?: string | undefined;
  /** For how many seconds to wait for a daemon that does not run yet, 0 to 600; 0 if absent. */
  readonly wait?: number | undefined;
  /** Closes the source, also while it opens. */
  readonly signal?: AbortSignal | undefined;
}

/** What a credential is needed for. */
export interface GetOptions {
  /** For how many seconds the token must stay valid, 0 to 30 days; 60 if absent. */
  readonly minValid?: number | undefined;
  /** How many seconds to wait for it, 0 to 600; 25 if absent. */
  readonly wait?: number | undefined;
  /** Gives up the waiting; what the daemon has begun, it finishes. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The current credential of an account, held in memory and kept current by the daemon's events. It comes back by itself
 * when the daemon is started anew, and gives out a credential that is still valid meanwhile. One source serves a whole
 * process.
 *
 * An open source keeps no process alive; a `get`, a `rejected` or an iteration that waits does.
 */
export interface CredentialSource extends AsyncDisposable, AsyncIterable<CredentialBody | null> {
  /**
   * The credential that can be used now; null if there is none: nobody is logged in, the last one has expired while the
   * daemon was away, or the source is closed. A read of memory and of the clock, below a microsecond. Never an expired
   * one: it ends a second before its token does, by the server's time. It stays the same object until it is another
   * credential.
   */
  readonly current: CredentialBody | null;

  /** What the daemon last said of the account: why there is no credential, and what to do about it. No token in it. */
  readonly state: AccountStatus;

  /** Whether the daemon is connected: while it is not, `current` may be out of date, and comes to its end. */
  readonly connected: boolean;

  /**
   * The current credential, if it stays valid for long enough; else what the daemon gives, which rotates first if that
   * helps. While the daemon is being started anew it waits for it. Where no token lives for long enough, or none can be
   * had in time, it gives the best there is, as long as that is valid.
   *
   * @throws AuthdError as `readCredential`; `closed` once the source is closed
   * @throws the reason of `signal`, if that is aborted first
   */
  get(options?: GetOptions): Promise<CredentialBody>;

  /**
   * Says that a token was answered with a 401, and gives another credential. At once if there is one; however many report
   * the same token, the daemon is told once and rotates once.
   *
   * @param token the access token or its fingerprint
   * @throws AuthdError as `reportRejected`; `closed` once the source is closed
   * @throws the reason of `signal`, if that is aborted first
   */
  rejected(token: string, options?: Omit<GetOptions, 'minValid'>): Promise<CredentialBody>;

  /**
   * `current`, now and whenever it changes, until the source is closed. Whoever is slow gets the newest, not every one.
   *
   * @throws the reason of `signal`, when that is aborted
   */
  changes(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterableIterator<CredentialBody | null>;

  /** The same, for `for await (const credential of source)`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<CredentialBody | null>;

  /** Hangs up and forgets the credential; whoever waits is told `closed`. Never rejects, and may be called again. */
  close(): Promise<void>;
}

/**
 * Connects to the daemon, and gives a source when the daemon has said what there is: a credential, or why there is none.
 *
 * @throws AuthdError `daemon_not_running` if nobody answers, `unknown_account`, `bad_request` if an option is out of
 *   range, `bad_configuration`, `bad_socket`, `bad_answer` or `timeout`
 * @throws the reason of `signal`, if that is aborted first
 */
export async function openCredentialSource(options: CredentialSourceOptions = {}): Promise<CredentialSource> {
  const { signal, wait = 0 } = options;
  checkSeconds('wait', wait, LONGEST_WAIT_SECONDS);
  signal?.throwIfAborted();
  const account = chooseAccount(options.account, process.env);
  const socket = await findSocket({ socket: options.socket, env: process.env });
  return makeSource(await Connection.open({ socket, account, waitMs: wait * 1000, signal }));
}
