/** Something that happens at an instant. `isLocal`: it waits for as long as the machine sleeps. */
interface Entry {
  atMs: number;
  readonly order: number;
  readonly isLocal: boolean;
  readonly happen: () => void;
  isCancelled: boolean;
}

/** True time, and what is to happen in it. Time goes on only from one happening to the next. */
export class Timeline {
  #heap: Entry[] = [];
  #count = 0;
  #nowMs: number;
  #sleptMs = 0;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** True time, in milliseconds since the epoch. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Goes on with true time, but for the machine's sleep. */
  get monotonicMs(): number {
    return this.#nowMs - this.#sleptMs;
  }

  /** Lets something happen; the function that is returned prevents it. */
  after(delayMs: number, happen: () => void, isLocal = true): () => void {
    const entry = {
      atMs: this.#nowMs + Math.max(delayMs, 0),
      order: (this.#count += 1),
      isLocal,
      happen,
      isCancelled: false,
    };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    return () => {
      entry.isCancelled = true;
    };
  }

  /** Lets the next thing happen; false if nothing will before `untilMs`, and then it is `untilMs`. */
  step(untilMs = Infinity): boolean {
    let next = this.#heap[0];
    while (next?.isCancelled === true) {
      this.#pop();
      next = this.#heap[0];
    }
    if (next === undefined || next.atMs > untilMs) {
      if (untilMs !== Infinity) this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#pop();
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.happen();
    return true;
  }

  /** The machine sleeps: its timers wait, the rest of the world does not. */
  sleep(durationMs: number): void {
    this.#sleptMs += durationMs;
    this.#nowMs += durationMs;
    for (const entry of this.#heap) if (entry.isLocal) entry.atMs += durationMs;
    this.#heap.sort(compare);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(parent, at)) return;
      at = parent;
    }
  }

  #sink(): void {
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (this.#isBefore(left, least)) least = left;
      if (this.#isBefore(right, least)) least = right;
      if (least === at) return;
      this.#swapUnlessOrdered(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#heap[a];
    const second = this.#heap[b];
    return first !== undefined && second !== undefined && compare(first, second) < 0;
  }

  /** Whether they had to be swapped. */
  #swapUnlessOrdered(upper: number, lower: number): boolean {
    const first = this.#heap[upper];
    const second = this.#heap[lower];
    if (first === undefined || second === undefined || compare(first, second) < 0) return false;
    this.#heap[upper] = second;
    this.#heap[lower] = first;
    return true;
  }
}

function compare(a: Entry, b: Entry): number {
  return a.atMs - b.atMs || a.order - b.order;
}
