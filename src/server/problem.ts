import { STATUS_CODES } from 'node:http';
import { REASONS, type ReasonCode } from '../core/reasons.js';
import { AuthdError, isProblemCode, type ProblemCode } from '../errors.js';
import type { ProblemBody } from '../protocol.js';
import type { WholeAnswer } from './answer.js';
import { instant } from './bodies.js';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

/** Every problem code with the status that it comes with. */
export const PROBLEMS: Readonly<Record<ProblemCode, ProblemKind>> = {
  bad_request: { status: 400, title: 'The request is wrong' },
  not_found: { status: 404, title: 'There is no such path' },
  unknown_account: { status: 404, title: 'There is no such account' },
  method_not_allowed: { status: 405, title: 'The path does not take this method' },
  too_large: { status: 413, title: 'The request is too large' },
  rate_limited: { status: 429, title: 'Too soon after the last time' },
  internal: { status: 500, title: 'The daemon has a failure of its own' },
  login_required: { status: 503, title: 'The login has ended' },
  logged_out: { status: 503, title: 'There is no login' },
  unavailable: { status: 503, title: 'No valid credential can be given out now' },
  corrupt: { status: 503, title: 'auth.json cannot be read' },
  unsupported: { status: 503, title: 'auth.json holds nothing that can be served' },
};

/**
 * The problem that an error amounts to, and null if it is none of the contract's: then it is a failure of the
 * daemon's own, whose message is for the log and not for the client.
 */
export function readProblem(error: unknown): AuthdError | null {
  return error instanceof AuthdError && isProblemCode(error.code) ? error : null;
}

/** An error as an RFC 9457 problem. */
export function problemAnswer(error: unknown, nowMs: number): WholeAnswer {
  const problem =
    readProblem(error) ??
    new AuthdError('internal', 'the daemon failed while it answered; it goes on', {
      hint: 'report this with the log of the daemon',
    });
  const body = problemBody(problem);
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' };
  const { retryAtMs } = problem;
  if (retryAtMs !== undefined && (body.status === 429 || body.status === 503)) {
    headers['Retry-After'] = String(Math.max(Math.ceil((retryAtMs - nowMs) / 1000), 1));
  }
  return { status: body.status, headers, body: JSON.stringify(body) };
}

/** A problem as raw HTTP, for a connection on which node:http could not read a request. */
export function rawProblem(error: AuthdError, product: string): string {
  const body = problemBody(error);
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${String(body.status)} ${STATUS_CODES[body.status] ?? ''}`,
    `Server: ${product}`,
    'Content-Type: application/problem+json',
    'Cache-Control: no-store',
    'Connection: close',
    `Content-Length: ${String(Buffer.byteLength(text))}`,
    '',
    text,
  ].join('\r\n');
}

function problemBody(error: AuthdError): ProblemBody {
  const code = isProblemCode(error.code) ? error.code : 'internal';
  const { status, title } = PROBLEMS[code];
  return {
    type: `urn:codex-authd:problem:${code}`,
    title,
    status,
    code,
    detail: error.message,
    hint: error.hint ?? null,
    retry_at: error.retryAtMs === undefined ? null : instant(error.retryAtMs),
    reason: isReasonCode(error.reason) ? error.reason : null,
  };
}

function isReasonCode(reason: string | undefined): reason is ReasonCode {
  return reason !== undefined && Object.hasOwn(REASONS, reason);
}
