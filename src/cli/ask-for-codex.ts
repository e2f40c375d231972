import { chooseAccount } from '../client/choose-account.js';
import { readCodexCredential } from '../client/codex-credential.js';
import { identifyParent } from '../os/parent-process.js';
import { LONGEST_MIN_VALID_SECONDS, LONGEST_WAIT_SECONDS, type CredentialBody } from '../protocol.js';
import type { Invocation } from './command.js';
import { readSeconds } from './seconds.js';

/** Codex ends its command after 5 s, and then sends its request without a token (facts 4.2). */
const BUDGET_MS = 4_500;

/**
 * The credential for the Codex that runs this command. There is an answer or an error before Codex loses patience,
 * counted from when this process started: a busy machine may have taken its time over that.
 *
 * @throws AuthdError as `readCredential`, or `usage`
 */
export async function askForCodex(
  { account, options, env }: Pick<Invocation, 'account' | 'options' | 'env'>,
  socket: string,
): Promise<CredentialBody> {
  const minValid = readSeconds(options, 'min-valid', LONGEST_MIN_VALID_SECONDS);
  const wait = readSeconds(options, 'wait', LONGEST_WAIT_SECONDS);
  const asker = await identifyParent();
  return readCodexCredential({
    socket,
    account: chooseAccount(account, env),
    minValid,
    asker,
    deadlineMs: Math.max(Math.floor(BUDGET_MS - performance.now()), 1),
    waitMs: wait === undefined ? undefined : wait * 1000,
  });
}
