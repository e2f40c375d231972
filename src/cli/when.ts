/*
 * Times as a person reads them. Pure: the present moment and the time zone are given, an undefined zone is the
 * machine's own.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const UNITS = [
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['min', MINUTE_MS],
  ['s', SECOND_MS],
] as const;

/** `9 d 4 h`, `12 min 5 s`, `0 s`: the largest unit and the next smaller one, rounded towards zero. */
export function formatSpan(spanMs: number): string {
  const wholeMs = Math.abs(spanMs);
  const first = UNITS.findIndex(([, unitMs]) => wholeMs >= unitMs);
  if (first === -1) return '0 s';
  let restMs = wholeMs;
  const parts: string[] = [];
  for (const [name, unitMs] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(restMs / unitMs);
    if (count > 0) parts.push(`${String(count)} ${name}`);
    restMs -= count * unitMs;
  }
  return parts.join(' ');
}

/** `in 9 d 4 h`, `12 s ago`, `now`. */
export function formatRelative(instant: string, nowMs: number): string {
  const spanMs = Date.parse(instant) - nowMs;
  if (Math.abs(spanMs) < SECOND_MS) return 'now';
  return spanMs > 0 ? `in ${formatSpan(spanMs)}` : `${formatSpan(spanMs)} ago`;
}

/** `2026-12-02 17:03:12 +01:00`. */
export function formatLocal(instant: string, timeZone?: string): string {
  const { year, month, day, hour, minute, second, timeZoneName } = partsOf(Date.parse(instant), timeZone);
  const offset = (timeZoneName ?? '').replace('GMT', '') || '+00:00';
  return `${year ?? ''}-${month ?? ''}-${day ?? ''} ${hour ?? ''}:${minute ?? ''}:${second ?? ''} ${offset}`;
}

/** `17:03:12`. */
export function formatTimeOfDay(instantMs: number, timeZone?: string): string {
  const { hour, minute, second } = partsOf(instantMs, timeZone);
  return `${hour ?? ''}:${minute ?? ''}:${second ?? ''}`;
}

/** `2026-12-02 17:03:12 +01:00 (in 9 d 4 h)`. */
export function formatWhen(instant: string, nowMs: number, timeZone?: string): string {
  return `${formatLocal(instant, timeZone)} (${formatRelative(instant, nowMs)})`;
}

function partsOf(
  instantMs: number,
  timeZone: string | undefined,
): Partial<Record<Intl.DateTimeFormatPartTypes, string>> {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
    timeZone,
  });
  return Object.fromEntries(format.formatToParts(instantMs).map(({ type, value }) => [type, value]));
}
