import { readCredential } from '../client/credential.js';
import { LONGEST_MIN_VALID_SECONDS, LONGEST_WAIT_SECONDS, type CredentialBody } from '../protocol.js';
import type { Invocation } from './command.js';
import { readSeconds } from './seconds.js';

/**
 * The credential that a command line asks for, with `--account`, `--min-valid` and `--wait`.
 *
 * @throws AuthdError as `readCredential`, or `usage`
 */
export async function askCredential(
  { account, options }: Pick<Invocation, 'account' | 'options'>,
  socket: string,
): Promise<CredentialBody> {
  return readCredential({
    socket,
    account,
    minValid: readSeconds(options, 'min-valid', LONGEST_MIN_VALID_SECONDS),
    wait: readSeconds(options, 'wait', LONGEST_WAIT_SECONDS),
  });
}
