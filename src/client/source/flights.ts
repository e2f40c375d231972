interface Flight<T> {
  readonly work: Promise<T>;
  readonly abort: AbortController;
  passengers: number;
}

/** Whoever asks for the same thing at the same time is answered together. */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * The result of `start`, or of the one in flight under that key. A caller who gives up leaves it; it is aborted when
   * all have left.
   *
   * @throws the reason of `signal`, if that is aborted first, or what `start` throws
   */
  async join(
    key: string,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, start);
    flight.passengers += 1;
    try {
      return await unlessAborted(flight.work, signal);
    } finally {
      flight.passengers -= 1;
      if (flight.passengers === 0) {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.abort.abort();
      }
    }
  }

  /** Ends every flight with this reason. */
  abort(reason: unknown): void {
    for (const { abort } of this.#flights.values()) abort.abort(reason);
  }

  #begin(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const abort = new AbortController();
    const flight: Flight<T> = { work: start(abort.signal), abort, passengers: 0 };
    this.#flights.set(key, flight);
    return flight;
  }
}

/** What the promise gives, unless the signal is aborted first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    const leave = (): void => {
      resolve();
    };
    signal.addEventListener('abort', leave, { once: true });
    stop = () => {
      signal.removeEventListener('abort', leave);
    };
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    stop();
  }
  signal.throwIfAborted();
  return work;
}
