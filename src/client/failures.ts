import { AuthdError, describeError, isProblemCode, systemErrorCode } from '../errors.js';

/** How a person starts the daemon. */
const START = 'start it with `codex-authd up`';

/** What a failed connection, or one that broke before the answer was whole, means. */
export function connectionError(error: unknown, socket: string): AuthdError {
  const code = systemErrorCode(error);
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new AuthdError('daemon_not_running', `no daemon answers on ${socket}`, {
        hint: START,
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new AuthdError('bad_socket', `permission denied to open the socket ${socket}`, {
        hint: 'run this as the user that runs the daemon, or name your own socket with --socket',
        cause: error,
      });
    default:
      if (isCut(code)) return connectionLost(socket, error);
      if (code?.startsWith('HPE_') === true) return strangeAnswer(socket, `it is not HTTP (${code})`);
      return new AuthdError('bad_socket', `cannot ask the daemon on ${socket}: ${describeError(error)}`, {
        hint: 'check the path with `codex-authd status`',
        cause: error,
      });
  }
}

/** Whether an error of this module says that a connection, once made, was cut. */
export function isLostConnection(error: unknown): boolean {
  return error instanceof AuthdError && isCut(systemErrorCode(error.cause));
}

function isCut(code: string | undefined): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** The daemon went away in the middle of an answer or of a stream. */
export function connectionLost(socket: string, cause?: unknown): AuthdError {
  return new AuthdError('daemon_not_running', `the daemon on ${socket} closed the connection`, {
    hint: `if it was stopped, ${START}`,
    cause,
  });
}

/**
 * An answer that does not follow the contract. It has no cause: what a parser throws quotes the answer, and that may
 * hold a token.
 */
export function strangeAnswer(socket: string, what: string): AuthdError {
  return new AuthdError('bad_answer', `the answer on ${socket} is none of codex-authd's: ${what}`, {
    hint: 'check that this is the socket of codex-authd, and that both are of the same version',
  });
}

/** The error that an `application/problem+json` body stands for. */
export function problemError(body: unknown, socket: string): AuthdError {
  if (typeof body !== 'object' || body === null || !('code' in body) || !('detail' in body)) {
    return strangeAnswer(socket, 'a problem without `code` and `detail`');
  }
  const { code, detail } = body;
  if (typeof code !== 'string' || typeof detail !== 'string') {
    return strangeAnswer(socket, 'a problem without `code` and `detail`');
  }
  if (!isProblemCode(code)) return strangeAnswer(socket, `a problem of an unknown kind: ${code}: ${detail}`);
  const hint = 'hint' in body && typeof body.hint === 'string' ? body.hint : undefined;
  const reason = 'reason' in body && typeof body.reason === 'string' ? body.reason : undefined;
  const retryAt = 'retry_at' in body && typeof body.retry_at === 'string' ? Date.parse(body.retry_at) : NaN;
  const retryAtMs = Number.isNaN(retryAt) ? undefined : retryAt;
  return new AuthdError(code, detail, { hint, reason, retryAtMs });
}
