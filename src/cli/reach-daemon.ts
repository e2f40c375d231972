import { findSocket } from '../client/find-socket.js';
import type { Invocation } from './command.js';
import { hintAtVersionSkew } from './version-skew.js';

/**
 * The socket of the daemon that a command asks for a person: if that one is of another version, it is said. Not for what
 * a program reads on both streams, and not for what mends it.
 *
 * @throws AuthdError as `findSocket`
 */
export function reachDaemon({
  settings,
  env,
  output,
}: Pick<Invocation, 'settings' | 'env' | 'output'>): Promise<string> {
  hintAtVersionSkew(env, output);
  return findSocket({ ...settings, env });
}
