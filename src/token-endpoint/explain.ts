import { describeError, systemErrorCode } from '../errors.js';

/** What went wrong with an exchange, in one line. */
export function explain(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const code = systemErrorCode(error);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return 'the answer is over 1 MiB';
  // OpenSSL puts a file and line of its own, and a line end, into its messages.
  const message = describeError(error).replace(/\s+/g, ' ').trim();
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}
