import { AuthdError } from '../errors.js';
import type { Invocation } from './command.js';

/**
 * An option in seconds; undefined if it was not given.
 *
 * @throws AuthdError `usage` unless it is a whole number from 0 to `longest`
 */
export function readSeconds(
  options: Invocation['options'],
  name: string,
  longest: number,
): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(seconds <= longest)) {
    throw new AuthdError('usage', `--${name} is not a number of seconds: ${text}`, {
      hint: `give a whole number from 0 to ${String(longest)}`,
    });
  }
  return seconds;
}
