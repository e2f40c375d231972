import type { PacePort } from './ports.js';

/**
 * Spaces out the rotations of accounts that are due together, after a start or a long sleep: a token endpoint that is
 * asked for ten logins in one second by one machine may well refuse some. Only between different accounts, so that one
 * alone is never held up.
 */
export class Pace implements PacePort {
  /** Between the beginnings of two rotations, in milliseconds. */
  gapMs: number;
  #last: { readonly account: string; readonly atMs: number } | null = null;

  constructor(gapMs: number) {
    this.gapMs = gapMs;
  }

  take(account: string, nowMs: number): number {
    const last = this.#last;
    const leftMs = last === null || last.account === account ? 0 : last.atMs + this.gapMs - nowMs;
    if (leftMs > 0) return leftMs;
    this.#last = { account, atMs: nowMs };
    return 0;
  }
}
