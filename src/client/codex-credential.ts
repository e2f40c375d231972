import { CODEX_REFRESH_INTERVAL_SECONDS, type CredentialBody } from '../protocol.js';
import { checkCredential } from './credential.js';
import { ask } from './request.js';

/** How Codex's token command asks. */
export interface CodexCredentialOptions {
  /** The socket's path, as `findSocket` gives it. */
  readonly socket: string;
  readonly account?: string | undefined;
  /** In seconds; for as long as Codex keeps a token, if absent. */
  readonly minValid?: number | undefined;
  /** Which Codex asks, as `identifyParent` gives it. */
  readonly asker: string | undefined;
  /** When there must be an answer or an error, in milliseconds from now. */
  readonly deadlineMs: number;
  /** How long the daemon may wait at most, in milliseconds; for as long as the deadline allows, if absent. */
  readonly waitMs?: number | undefined;
}

/** What the way to the daemon and back may take of the time that there is. */
const WAY_MS = 500;

/**
 * The credential for Codex. The daemon takes a second call by the same asker within Codex's interval as a report that
 * the token was rejected.
 *
 * @throws AuthdError as `readCredential`
 */
export async function readCodexCredential(options: CodexCredentialOptions): Promise<CredentialBody> {
  const { socket, account, asker, deadlineMs, waitMs = Infinity } = options;
  const longestWaitMs = Math.max(deadlineMs - WAY_MS, 0);
  const body = await ask({
    socket,
    method: 'GET',
    path: '/v1/credential',
    query: {
      account,
      asker,
      // Codex keeps it for so long without looking.
      min_valid: options.minValid ?? CODEX_REFRESH_INTERVAL_SECONDS,
      wait: (Math.min(waitMs, longestWaitMs) / 1000).toFixed(3),
    },
    deadlineMs,
  });
  return checkCredential(body, account, socket);
}
