/** How finely the time is counted. */
const STEPS = 30;

/**
 * The end of somebody's patience, in time in which this process runs: while it is stopped, nothing is counted, and what came
 * meanwhile is read before the next step. A timer would be due at once, and first.
 */
export class Deadline {
  readonly #controller = new AbortController();
  #left = STEPS;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(ms: number) {
    this.#start(ms);
  }

  /** Aborts with a `TimeoutError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** So much time from now on, whatever was left; none if it is over. */
  renew(ms: number): void {
    if (this.#isOver) return;
    clearInterval(this.#timer);
    this.#start(ms);
  }

  end(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  #start(ms: number): void {
    this.#left = STEPS;
    this.#timer = setInterval(() => {
      this.#step(ms);
    }, ms / STEPS);
  }

  #step(ms: number): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    this.end();
    const message = `nothing within ${String(ms)} ms`;
    this.#controller.abort(new DOMException(message, 'TimeoutError'));
  }
}
