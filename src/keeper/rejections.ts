import type { LogPort } from './ports.js';
import { RateLimit } from './rate-limit.js';
import type { Kept } from './serve.js';
import type { ServerTime } from './server-time.js';

export interface RejectionsOptions {
  readonly account: string;
  readonly log: LogPort;
  /** How far apart two rotations on such reports are, in milliseconds. */
  readonly intervalMs: () => number;
}

/**
 * What consumers report of access tokens that were answered with a 401, and the rotations on their word: a consumer
 * that says so of each new token must not drive the token endpoint.
 */
export class Rejections {
  readonly #options: RejectionsOptions;
  readonly #limit: RateLimit;
  #count = 0;
  #noted: string | null = null;

  constructor(options: RejectionsOptions) {
    this.#options = options;
    this.#limit = new RateLimit(options.intervalMs);
  }

  /** Reports of the token that was the current one. */
  get count(): number {
    return this.#count;
  }

  get intervalMs(): number {
    return this.#options.intervalMs();
  }

  /** Somebody reports the current token. It is logged once for each, however many do. */
  note(fingerprint: string): void {
    this.#count += 1;
    if (this.#noted === fingerprint) return;
    this.#noted = fingerprint;
    const { account, log } = this.#options;
    log.warn({ account, fingerprint }, 'a consumer reports that the access token was rejected');
  }

  /** How long until the next rotation on a report, in milliseconds. */
  leftMs(time: ServerTime): number {
    return this.#limit.leftMs(time);
  }

  /** Rotates, on a report. One that has sent nothing, for what it met in the file, does not count. */
  async rotate(kept: Kept, time: ServerTime): Promise<void> {
    const before = kept.requests;
    this.#limit.spend(time);
    await kept.rotate();
    if (kept.requests === before && kept.setback === null) this.#limit.refund();
  }
}
