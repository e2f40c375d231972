import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { REASONS } from '../../src/core/reasons.js';
import type { ErrorCode } from '../../src/errors.js';
import { PROBLEMS } from '../../src/server/problem.js';
import { REASON_CODES } from '../../src/server/vocabulary.js';
import { code, table } from './markdown.js';
import { describedLiterals } from './source-comments.js';

/** Every error code: the HTTP status that it has on the socket, and the exit code of a command that meets it. */
export function errorTable(): string {
  const problems = Object.entries(PROBLEMS).map(([name, { status, title }]) => [name, String(status), title]);
  const others = describedLiterals('errors.ts', 'ErrorCode').map(([name, text]) => [name, '', text]);
  const rows = [...problems, ...others].map(([name = '', status = '', text = '']) => [
    code(name),
    status,
    exitCodes(name as ErrorCode),
    text.replace(/\.$/, ''),
  ]);
  return table(['code', 'HTTP', 'exit', 'what it means'], rows);
}

/** The exit code, and the reasons with which it is another. */
function exitCodes(name: ErrorCode): string {
  const usual = exitCodeOf({ code: name, reason: undefined });
  const others = REASON_CODES.flatMap((reason) => {
    const exit = exitCodeOf({ code: name, reason });
    return exit === usual ? [] : [`${String(exit)} if ${code(reason)}`];
  });
  return [String(usual), ...others].join('; ');
}

/** Every reason of an account's state, and what to do about it. */
export function reasonTable(): string {
  const rows = Object.entries(REASONS).map(([name, { state, hint }]) => [
    code(name),
    code(state),
    hint ?? '',
  ]);
  return table(['reason', 'state', 'what to do, unless the answer says otherwise'], rows);
}
