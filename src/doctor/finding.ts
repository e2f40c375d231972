/** How bad a finding is: `fail` is what keeps credentials from being served or endangers the login. */
export type Level = 'ok' | 'warn' | 'fail';

/** What one check found. */
export interface Finding {
  readonly id: string;
  /** The account that it is about; null if it is about the machine. */
  readonly account: string | null;
  readonly level: Level;
  /** One clause, lower case, no full stop. */
  readonly found: string;
  /** The shell command that mends it; null where there is nothing to mend. */
  readonly command: string | null;
}

/** What a check says; who asked adds its id and its account. */
export type Verdict = Pick<Finding, 'level' | 'found' | 'command'>;

export function ok(found: string): Verdict {
  return { level: 'ok', found, command: null };
}

export function warn(found: string, command: string): Verdict {
  return { level: 'warn', found, command };
}

export function fail(found: string, command: string): Verdict {
  return { level: 'fail', found, command };
}
