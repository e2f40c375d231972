import { AuthdError } from '../errors.js';
import {
  DEFAULT_ACCOUNT,
  DEFAULT_MIN_VALID_SECONDS,
  DEFAULT_WAIT_SECONDS,
  LONGEST_MIN_VALID_SECONDS,
  LONGEST_WAIT_SECONDS,
} from '../protocol.js';

export type ParameterName = 'account' | 'min_valid' | 'wait' | 'asker';

/** What an asker's name looks like: a pid and a start time, or whatever else tells one process from all others. */
export const ASKER_PATTERN = '^[A-Za-z0-9._:-]{1,64}$';
const ASKER = new RegExp(ASKER_PATTERN);

/** The query of a request, with the defaults filled in. */
export interface Query {
  readonly account: string;
  readonly minValidMs: number;
  readonly waitMs: number;
  /** Names the process for which the token is; undefined if the request does not say. */
  readonly asker: string | undefined;
}

/**
 * Reads the query of a request, strictly: a parameter that is misspelt must not silently mean the default.
 *
 * @param search what stands after the `?`
 * @throws AuthdError `bad_request` that names the parameter
 */
export function parseQuery(search: string, allowed: readonly ParameterName[]): Query {
  const given = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (!(allowed as readonly string[]).includes(name)) throw unknownParameter(name, allowed);
    if (given.has(name)) throw badRequest(`the parameter ${name} is there twice`);
    given.set(name, value);
  }
  const account = given.get('account') ?? DEFAULT_ACCOUNT;
  if (account === '') throw badRequest('the parameter account is empty');
  const asker = given.get('asker');
  if (asker !== undefined && !ASKER.test(asker)) {
    throw badRequest('the parameter asker is a word of up to 64 letters, digits, dots, colons and dashes');
  }
  return {
    account,
    minValidMs: milliseconds(given, 'min_valid', DEFAULT_MIN_VALID_SECONDS, LONGEST_MIN_VALID_SECONDS),
    waitMs: milliseconds(given, 'wait', DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
    asker,
  };
}

function milliseconds(
  given: ReadonlyMap<string, string>,
  name: ParameterName,
  defaultSeconds: number,
  longestSeconds: number,
): number {
  const text = given.get(name);
  if (text === undefined) return defaultSeconds * 1000;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (seconds <= longestSeconds) return Math.round(seconds * 1000);
  throw badRequest(
    `the parameter ${name} is a number of seconds from 0 to ${String(longestSeconds)}, ` +
      `not ${JSON.stringify(text.slice(0, 40))}`,
  );
}

function unknownParameter(name: string, allowed: readonly ParameterName[]): AuthdError {
  const known = allowed.length === 0 ? 'this path takes none' : `this path takes: ${allowed.join(', ')}`;
  return badRequest(`unknown parameter ${JSON.stringify(name.slice(0, 40))}`, known);
}

function badRequest(message: string, hint?: string): AuthdError {
  return new AuthdError('bad_request', message, { hint });
}
