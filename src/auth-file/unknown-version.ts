import { AuthdError } from '../errors.js';

/** Of a file in the state directory that is whole, that this version does not know how to read, and must not write over. */
export function unknownVersion(path: string): AuthdError {
  return new AuthdError('storage', `${path} is of a version that this codex-authd does not know`, {
    hint: 'install the version that wrote it, or a later one',
  });
}
