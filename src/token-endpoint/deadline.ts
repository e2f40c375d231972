/** How finely the time is counted. */
const STEPS = 30;

/**
 * The end of somebody's patience, in time in which this process runs: while it is stopped, nothing is counted, and what came
 * meanwhile is read before the next step. A timer would be due at once, and first.
 */
export class Deadline {
  readonly #ms: number;
  readonly #controller = new AbortController();
  #left = STEPS;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#ms = ms;
    this.#timer = setInterval(() => {
      this.#step();
    }, ms / STEPS);
  }

  /** Aborts with a `TimeoutError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The whole time again. */
  renew(): void {
    this.#left = STEPS;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #step(): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    this.end();
    const message = `nothing within ${String(this.#ms)} ms`;
    this.#controller.abort(new DOMException(message, 'TimeoutError'));
  }
}
