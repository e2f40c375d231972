import type { Tally } from './consumer.js';

/** A demo of this length or more must have seen this many rotations. */
const LONG_SECONDS = 25;
const LEAST_ROTATIONS = 2;

/** How a demo went. */
export interface Verdict {
  readonly summary: string;
  /** Why it failed; empty if it did not. */
  readonly complaints: readonly string[];
}

/** `requests` is how often the server was asked for new tokens. */
export function judge(tally: Tally, lastedSeconds: number, requests: number): Verdict {
  const { rotations, reads, expired, failed } = tally;
  return {
    summary:
      `${lastedSeconds.toFixed(0)} s: ${count(rotations, 'rotation')} (${count(requests, 'request')} to the server), ` +
      `${count(reads, 'read')}, ${count(expired, 'expired read')}, ${count(failed, 'failed read')}`,
    complaints: [
      reads === 0 && 'no token was read',
      expired > 0 && 'an expired token was given out',
      failed > 0 && 'a read failed',
      lastedSeconds >= LONG_SECONDS && rotations < LEAST_ROTATIONS && 'there were too few rotations',
    ].filter((complaint) => complaint !== false),
  };
}

function count(number: number, what: string): string {
  return `${String(number)} ${what}${number === 1 ? '' : 's'}`;
}
