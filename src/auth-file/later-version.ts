import { AuthdError } from '../errors.js';

/** Of a file in the state directory that this version cannot read, and must not write over. */
export function laterVersion(path: string): AuthdError {
  return new AuthdError('storage', `${path} was written by a later version of codex-authd`, {
    hint: 'install the version that wrote it, or a later one',
  });
}
