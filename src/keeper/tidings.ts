import { sameState, type KeeperState } from '../core/state.js';
import type { LogPort } from './ports.js';
import type { KeeperEvent, KeeperSnapshot } from './snapshot.js';

/** A clock that is off by less is not worth a person's attention. */
const CLOCK_TOLERANCE_MS = 60 * 1000;

/** Who is to be told, and what they were told last. */
export class Tidings {
  readonly #log: LogPort;
  readonly #listeners = new Set<(event: KeeperEvent) => void>();
  #last: KeeperState | null = null;
  #isClockOff = false;

  constructor(log: LogPort) {
    this.#log = log;
  }

  /** Whether nobody could have been told anything yet. */
  get isFirst(): boolean {
    return this.#last === null;
  }

  subscribe(listener: (event: KeeperEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells the state, if it is another one than the last. */
  announce(snapshot: KeeperSnapshot): void {
    if (this.#last !== null && sameState(this.#last, snapshot.state)) return;
    this.#last = snapshot.state;
    this.tell({ type: 'state', snapshot });
  }

  /** Says once that the clock of this machine is wrong, until it has been right again. */
  warnOfClock(account: string, offsetMs: number): void {
    const isOff = Math.abs(offsetMs) > CLOCK_TOLERANCE_MS;
    if (isOff && !this.#isClockOff) {
      const where = offsetMs > 0 ? 'behind' : 'ahead of';
      const fields = { account, clock_offset_seconds: Math.round(offsetMs / 1000), hint: 'set the clock' };
      this.#log.warn(fields, `the clock of this machine is ${where} the server's`);
    }
    this.#isClockOff = isOff;
  }

  /** A subscriber that throws costs neither the others nor the keeper anything. */
  tell(event: KeeperEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error({ err: error }, 'a subscriber failed');
      }
    }
  }
}
