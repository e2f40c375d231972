/** What keeps the process alive unless it is told not to: a socket, a timer. */
export interface Handle {
  ref(): unknown;
  unref(): unknown;
}

/**
 * An open source keeps no process alive; somebody who waits for what comes over it does. So every handle of the source is
 * attached here, and counts for as long as anybody holds.
 */
export class Refs {
  readonly #handles = new Set<Handle>();
  #holders = 0;

  /** Returns how to detach it, which leaves it as it is. */
  attach(handle: Handle): () => void {
    this.#handles.add(handle);
    if (this.#holders === 0) handle.unref();
    else handle.ref();
    return () => this.#handles.delete(handle);
  }

  /** Returns how to let go, which works once. */
  hold(): () => void {
    let isHeld = true;
    this.#holders += 1;
    if (this.#holders === 1) for (const handle of this.#handles) handle.ref();
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders -= 1;
      if (this.#holders === 0) for (const handle of this.#handles) handle.unref();
    };
  }
}
