import { AuthdError } from '../../errors.js';
import { systemClock } from '../../os/clock.js';
import { DEFAULT_ACCOUNT, type AccountStatus } from '../../protocol.js';
import { ANSWER_MARGIN_MS } from '../deadline.js';
import type { AuthdEvent } from '../events.js';
import { strangeAnswer } from '../failures.js';
import { readStatus } from '../status.js';
import { DaemonTime } from './daemon-time.js';
import { follow, type Following } from './follow.js';
import { Memory } from './memory.js';
import { pause } from './pause.js';
import { isAway } from './persist.js';
import { Refs } from './refs.js';

/** Whom to connect with. */
export interface ConnectionOptions {
  /** The socket's path, as `findSocket` gives it. */
  readonly socket: string;
  readonly account: string | undefined;
  /** How long a daemon that does not run yet may take to come up, in milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** One source's connection to the daemon, and what has been heard over it. */
export class Connection {
  readonly socket: string;
  readonly account: string | undefined;
  readonly refs = new Refs();
  readonly #time = new DaemonTime(systemClock);
  readonly memory = new Memory(this.#time);
  readonly #closing = new AbortController();
  readonly #following: Following;
  #state: AccountStatus | null = null;
  /** Of the connection of now. */
  #isConnected = false;
  #isComplete = false;
  #loss: Error | null = null;

  private constructor({ socket, account }: ConnectionOptions) {
    this.socket = socket;
    this.account = account;
    this.#following = follow({
      socket,
      account,
      signal: this.#closing.signal,
      clock: systemClock,
      refs: this.refs,
      onEvent: (event) => {
        this.#hear(event);
      },
      onLost: (error) => {
        this.#lose(error);
      },
    });
  }

  /**
   * Resolves when the daemon has said what there is.
   *
   * @throws AuthdError why it has not
   * @throws the reason of the signal, if that is aborted first
   */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    const { signal } = options;
    signal?.addEventListener('abort', () => void connection.close(), { signal: connection.closed });
    const letGo = connection.refs.hold();
    try {
      await connection.#complete(options.waitMs, signal);
    } catch (error) {
      await connection.close();
      throw error;
    } finally {
      letGo();
    }
    return connection;
  }

  /** Aborted when the connection is closed, with the error for whoever waits for something. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** What was said of the account last. */
  get state(): AccountStatus {
    if (this.#state === null)
      throw new AuthdError('daemon_not_running', 'the daemon has not said anything yet');
    return this.#state;
  }

  /** The daemon has just answered: if the connection to its events is lost, there is no need to wait longer. */
  hurry(): void {
    this.#following.hurry();
  }

  /** Asks for the time by which tokens are judged: what the daemon calls valid seems to have expired. */
  async askForTime(signal: AbortSignal): Promise<void> {
    const { accounts } = await readStatus(this.socket, signal);
    const mine = accounts.find(({ account }) => account === (this.account ?? DEFAULT_ACCOUNT));
    if (mine === undefined) throw strangeAnswer(this.socket, 'a status without the account');
    this.#time.learn(mine.clock_offset_seconds * 1000);
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(
        new AuthdError('closed', 'the credential source is closed', { hint: 'open another one' }),
      );
      this.#isConnected = false;
      this.memory.forget();
    }
    await this.#following.ended;
  }

  #hear(event: AuthdEvent): void {
    this.#isConnected = true;
    this.#loss = null;
    if (event.event === 'state') this.#state = event.data;
    // The daemon says the state first, and then the credential that goes with it.
    if (event.event === 'credential' ? this.#state !== null : !event.data.serving) this.#isComplete = true;
    this.memory.hear(event);
  }

  #lose(error: Error): void {
    this.#isConnected = false;
    this.#loss = error;
    this.memory.stir();
  }

  async #complete(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const giveUpAtMs = performance.now() + waitMs;
    while (!this.#isComplete) {
      const endMs = giveUpAtMs + (this.#loss === null ? ANSWER_MARGIN_MS : 0);
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw this.#loss ?? strangeAnswer(this.socket, 'it does not say what there is');
      await pause(leftMs, { signal, onNews: (wake) => this.memory.subscribe(wake) });
      signal?.throwIfAborted();
      if (this.#loss !== null && !isAway(this.#loss)) throw this.#loss;
    }
  }
}
