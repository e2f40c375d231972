/*
 * How far the clock of this machine is off: what is to be added to it to have the time by which the server judges its
 * tokens. Positive where this machine is behind.
 */

/** An answer of the server, which was made between two readings of this machine's clock. All in ms since the epoch. */
export interface Dated {
  /** What the server's clock showed, cut to a whole second. */
  readonly dateMs: number;
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

/** A `Date` header counts whole seconds (RFC 9110 §5.6.7). */
const DATE_STEP_MS = 1000;

/** In a longer one the machine may have slept, or the server thought: when its Date was written is not known well enough. */
const LONGEST_REQUEST_MS = 60_000;

/**
 * The offset after an answer: none if that is possible, else what was taken for it until now, moved only as far as the
 * answer compels. One that came after a sleep tells too little to forget what an answer had told (`isLearnt`), or to doubt a
 * clock of which nothing bad is known. Of one that is known to be wrong, the latest time that it may be is taken, since an
 * earlier one could give out an expired token.
 */
export function offsetFromDate(
  { dateMs, sentAtMs, receivedAtMs }: Dated,
  offsetMs: number,
  isLearnt: boolean,
): number {
  const lowest = dateMs - receivedAtMs;
  const highest = dateMs + DATE_STEP_MS - sentAtMs;
  const isTelling = highest - lowest <= LONGEST_REQUEST_MS;
  if (isTelling && lowest <= 0 && highest >= 0) return 0;
  const isRefuted = offsetMs < lowest || offsetMs > highest;
  const isSuspect = isRefuted || (offsetMs !== 0 && !isLearnt);
  if (!isTelling && isSuspect) return nothingOr(highest);
  return Math.min(Math.max(offsetMs, lowest), highest);
}

/** The wall clock and the monotonic one part by less than this in the steps in which we look: that is no jump. */
const DRIFT_MS = 1000;
/** How well a jump and an offset must agree to be the mistake and its mending: an offset is known no better. */
const AGREEMENT_MS = 3000;

/**
 * The offset after the wall clock went on by `jumpMs` more than the monotonic one. What happened is not known, so of
 * the times that it may be, the later one is taken: it costs at most a rotation, whose answer tells the time, while the
 * earlier one could give out an expired token.
 */
export function offsetAfterJump(offsetMs: number, jumpMs: number): number {
  if (Math.abs(jumpMs) <= DRIFT_MS) return offsetMs;
  // Time does not go back: somebody set the clock, rightly or not.
  if (jumpMs < 0) return nothingOr(offsetMs - jumpMs);
  // A clock that was behind has slept, on which it is as far behind as before; unless it was just put right.
  if (offsetMs > 0) return nothingOr(Math.abs(offsetMs - jumpMs) <= AGREEMENT_MS ? 0 : offsetMs);
  // One that was ahead has slept too, or was put right at the end of a longer sleep: nothing tells which.
  return 0;
}

function nothingOr(offsetMs: number): number {
  return Math.abs(offsetMs) <= AGREEMENT_MS ? 0 : offsetMs;
}

/** What a token says of its life. */
export interface Lifespan {
  readonly issuedAtMs: number | null;
  readonly expiresAtMs: number | null;
}

/** The clocks of a server's parts may differ by this much. */
const SERVER_SKEW_MS = 5 * 60 * 1000;

/**
 * The instant that a `Date` header names; null if it makes no sense: it cannot be read, or at that time the token was
 * not issued yet or had expired. `issued` is the token that came with it; `known` is one that was there before.
 */
export function believableDate(
  date: string | null,
  issued: Lifespan | null,
  known: Lifespan | null,
): number | null {
  if (date === null || !IMF_FIXDATE.test(date)) return null;
  const dateMs = Date.parse(date);
  if (Number.isNaN(dateMs)) return null;
  const { issuedAtMs, expiresAtMs } = issued ?? { issuedAtMs: known?.issuedAtMs ?? null, expiresAtMs: null };
  if (issuedAtMs !== null && issuedAtMs > dateMs + SERVER_SKEW_MS) return null;
  return expiresAtMs !== null && expiresAtMs <= dateMs ? null : dateMs;
}

/** The one form of a date that servers send today; `Date.parse` alone would take a `1` for one. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** A token that was issued later than this is a slip of units, not a sign of a clock that is behind. */
const FARTHEST_MS = 100 * 366 * 24 * 3600 * 1000;

/**
 * The least offset by which a token that somebody was given was issued already; null if it tells nothing. Where the
 * server's clock is known, a token that is a little ahead of it is the server's own affair.
 */
export function offsetFromIssue(
  { issuedAtMs, expiresAtMs }: Lifespan,
  machineMs: number,
  known: number | null,
): number | null {
  if (issuedAtMs === null || (expiresAtMs !== null && expiresAtMs <= issuedAtMs)) return null;
  const least = issuedAtMs - machineMs;
  if (least > FARTHEST_MS) return null;
  return least > (known === null ? 0 : known + SERVER_SKEW_MS) ? least : null;
}
