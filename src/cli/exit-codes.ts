import type { AuthdError } from '../errors.js';

/** The exit codes of every command. `exec` passes on the code of the command that it ran instead. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notRunning: 3,
  loginRequired: 4,
  timeout: 5,
} as const;

/** What each exit code means, for the help. */
export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'done',
  [EXIT.failure]: 'something failed; the error says what',
  [EXIT.usage]: 'the command line is wrong',
  [EXIT.notRunning]: 'the daemon is not running',
  [EXIT.loginRequired]: 'a person has to log in',
  [EXIT.timeout]: 'no answer in time',
};

/** The exit code that goes with an error. */
export function exitCodeOf({ code, reason }: Pick<AuthdError, 'code' | 'reason'>): number {
  switch (code) {
    case 'usage':
      return EXIT.usage;
    case 'daemon_not_running':
      return EXIT.notRunning;
    case 'login_required':
    case 'logged_out':
      return EXIT.loginRequired;
    case 'timeout':
      return EXIT.timeout;
    case 'unavailable':
      // The rotation goes on, but the wait that the caller granted is over.
      return reason === 'rotation_in_flight' ? EXIT.timeout : EXIT.failure;
    default:
      return EXIT.failure;
  }
}
