import type { Clock } from '../../src/os/clock.js';

interface Timer {
  /** By the monotonic clock. */
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is told to go on. */
export class VirtualClock implements Clock {
  #elapsedMs = 0;
  /** What the wall clock shows beyond the monotonic one. */
  #aheadMs: number;
  #timers: Timer[] = [];

  constructor(nowMs: number) {
    this.#aheadMs = nowMs;
  }

  now(): number {
    return this.#elapsedMs + this.#aheadMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, wake: () => void): () => void {
    const timer: Timer = { atMs: this.#elapsedMs + Math.max(delayMs, 0), wake };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Goes on by `ms`, stopping at each timer on the way, and lets everything happen that follows from it. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await settle();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.wake();
      await settle();
    }
    this.#elapsedMs = untilMs;
  }

  /** The wall clock shows another time at once: it was set, or the machine slept. No timer fires. */
  jump(ms: number): void {
    this.#aheadMs += ms;
  }

  #next(untilMs: number): Timer | undefined {
    const due = this.#timers.filter(({ atMs }) => atMs <= untilMs);
    return due.sort((a, b) => a.atMs - b.atMs)[0];
  }
}

/** Lets every promise go as far as it can without the clock. */
async function settle(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
}
