/**
 * Every way in which codex-authd fails, as a closed union of stable codes.
 *
 * The first group are the problem codes of the socket contract; the rest never cross the socket.
 */
export type ErrorCode =
  | ProblemCode
  /** Nobody answers on the socket. */
  | 'daemon_not_running'
  /** The answer on the socket is none of ours. */
  | 'bad_answer'
  /** A deadline of the caller's own ran out. */
  | 'timeout'
  /** What was asked has been closed by its owner. */
  | 'closed'
  /** The command line is wrong. */
  | 'usage'
  /** A setting is wrong: a flag, an environment variable or the configuration file. */
  | 'bad_configuration'
  /** Another daemon keeps this account, or listens on this socket. */
  | 'already_running'
  /** The socket cannot be made safely, or may not be used. */
  | 'bad_socket'
  /** The file system refused what had to be done. */
  | 'storage'
  /** The service manager refused what had to be done. */
  | 'service';

const UNSERVED_CODES = ['login_required', 'logged_out', 'unavailable', 'corrupt', 'unsupported'] as const;
const PROBLEM_CODES = [
  'bad_request',
  'not_found',
  'unknown_account',
  'method_not_allowed',
  'too_large',
  'rate_limited',
  'internal',
  ...UNSERVED_CODES,
] as const;

/** The `code` of an RFC 9457 problem on the socket. */
export type ProblemCode = (typeof PROBLEM_CODES)[number];

/** Why no credential can be served: the codes that come with status 503. */
export type UnservedCode = (typeof UNSERVED_CODES)[number];

export function isProblemCode(code: string): code is ProblemCode {
  return PROBLEM_CODES.some((known) => known === code);
}

/** Details that an {@link AuthdError} may carry beside its message. */
export interface ErrorDetails {
  /** What to do next: one sentence or one command, lower case, no full stop. */
  readonly hint?: string | undefined;
  /** The keeper's reason code, where the error comes from an account's state. */
  readonly reason?: string | undefined;
  /** When asking again is worth it, in milliseconds since the epoch. */
  readonly retryAtMs?: number | undefined;
  readonly cause?: unknown;
}

/** The only error class of the package: `code` says which failure, `message` what happened, `hint` what to do. */
export class AuthdError extends Error {
  override readonly name = 'AuthdError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly reason: string | undefined;
  readonly retryAtMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.reason = details.reason;
    this.retryAtMs = details.retryAtMs;
  }
}

/** The `code` of a Node system error (`ENOENT`, `ECONNREFUSED`, …), or undefined for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof AuthdError || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A sentence for whatever was thrown; never a stack. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? (systemErrorCode(error) ?? error.name) : error.message;
}
