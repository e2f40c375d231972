/** Pieces of work that must not meet each other: one after the other, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work when everything before it is over, however that ended. Settles as the work does. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves when everything is over that has been asked for until now. Never rejects. */
  async over(): Promise<void> {
    await this.#last;
  }
}
