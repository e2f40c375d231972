import type { SettledReading } from '../core/reading.js';
import type { AuthFilePort } from './ports.js';

/** A file that is being written for so many settled reads, some seconds, is left to the next event or tick. */
const MOST_UNSETTLED = 4;

/**
 * Looks at auth.json when it may have changed: one look at a time, and one more if something happened meanwhile,
 * however often. What was seen before something newer became known is not told.
 */
export class Lookout {
  readonly #authFile: AuthFilePort;
  readonly #onSeen: (reading: SettledReading) => Promise<void>;
  #looking: Promise<void> | null = null;
  #isDirty = false;
  #isClosed = false;
  #epoch = 0;

  constructor(authFile: AuthFilePort, onSeen: (reading: SettledReading) => Promise<void>) {
    this.#authFile = authFile;
    this.#onSeen = onSeen;
  }

  /** Resolves when what is in the file now, or something newer, has been seen, or it would not hold still. */
  look(): Promise<void> {
    this.#isDirty = true;
    this.#looking ??= this.#lookUntilClean();
    return this.#looking;
  }

  /** What was read of the file until now is out of date: it has been replaced, by us. */
  outdate(): void {
    this.#epoch += 1;
    if (this.#looking !== null) this.#isDirty = true;
  }

  /** Resolves when the last look is over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking;
  }

  async #lookUntilClean(): Promise<void> {
    try {
      for (let unsettled = 0; this.#isDirty && !this.#isClosed && unsettled < MOST_UNSETTLED;) {
        this.#isDirty = false;
        const epoch = this.#epoch;
        const reading = await this.#authFile.readSettled();
        if (reading.kind === 'unsettled') unsettled += 1;
        if (epoch !== this.#epoch || reading.kind === 'unsettled') this.#isDirty = true;
        else await this.#onSeen(reading);
      }
    } finally {
      this.#looking = null;
    }
  }
}
