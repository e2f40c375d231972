import { REASONS, type ReasonCode, type StateName } from '../core/reasons.js';

/** Every reason code there is. */
export const REASON_CODES = Object.keys(REASONS) as readonly ReasonCode[];

/** Every state there is: each has a reason at least. */
export const STATE_NAMES: readonly StateName[] = [
  ...new Set(REASON_CODES.map((reason) => REASONS[reason].state)),
];
