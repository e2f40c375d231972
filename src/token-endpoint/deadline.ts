/** How finely the time is counted. */
const STEPS = 30;

/**
 * The end of somebody's patience, in time in which this process runs: while it is stopped, nothing is counted, and what came
 * meanwhile is read before the next step. A timer would be due at once, and first.
 */
export class Deadline {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = this.#start(ms);
  }

  /** Aborts with a `TimeoutError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on, and perhaps another time. */
  renew(ms: number): void {
    this.end();
    this.#timer = this.#start(ms);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #start(ms: number): NodeJS.Timeout {
    let left = STEPS;
    return setInterval(() => {
      left -= 1;
      if (left > 0) return;
      this.end();
      this.#controller.abort(new DOMException(`nothing within ${String(ms)} ms`, 'TimeoutError'));
    }, ms / STEPS);
  }
}
