import { offsetAfterJump } from '../../core/clock-offset.js';
import type { Clock } from '../../os/clock.js';

/**
 * The time by which the daemon judges its tokens: this machine's, corrected by what the daemon tells of it. A jump of the
 * clock means here what it means to the daemon, so both go on agreeing until it tells more.
 */
export class DaemonTime {
  readonly #machine: Pick<Clock, 'now' | 'monotonicMs'>;
  #offsetMs = 0;
  /** What the wall clock showed beyond the monotonic one when it was last looked at. */
  #aheadMs: number;

  constructor(machine: Pick<Clock, 'now' | 'monotonicMs'>) {
    this.#machine = machine;
    this.#aheadMs = machine.now() - machine.monotonicMs();
  }

  /** How far this machine's clock is behind, in milliseconds, as the daemon has just said. */
  learn(offsetMs: number): void {
    this.now();
    this.#offsetMs = offsetMs;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    const machineMs = this.#machine.now();
    const aheadMs = machineMs - this.#machine.monotonicMs();
    this.#offsetMs = offsetAfterJump(this.#offsetMs, aheadMs - this.#aheadMs);
    this.#aheadMs = aheadMs;
    return machineMs + this.#offsetMs;
  }
}
