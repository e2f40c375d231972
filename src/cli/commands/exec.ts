import type { Environment } from '../../os/paths.js';
import type { CredentialBody } from '../../protocol.js';
import { askCredential } from '../ask-credential.js';
import { asksDaemon, codexArguments } from '../codex-arguments.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { reachDaemon } from '../reach-daemon.js';
import { runChild } from '../run-child.js';

export const run: Command = async (invocation) => {
  const { env, rest, output } = invocation;
  const [file, ...args] = rest;
  if (file === undefined) return EXIT.usage;
  const socket = await reachDaemon(invocation);
  const credential = await askCredential(invocation, socket);
  const before = asksDaemon(file, args) ? codexArguments(credential, socket) : [];
  const ended = await runChild(file, [...before, ...args], childEnvironment(env, credential, socket));
  if (ended.problem !== undefined) output.error(ended.problem);
  return ended.exitCode;
};

/** The command's environment: ours with the credential in it, and without what would hide it from Codex (facts 4.1). */
function childEnvironment(
  env: Environment,
  credential: CredentialBody,
  socket: string,
): Record<string, string | undefined> {
  return {
    ...env,
    CODEX_API_KEY: undefined,
    CODEX_ACCESS_TOKEN: undefined,
    CODEX_AUTHD_TOKEN: credential.access_token,
    CODEX_AUTHD_EXPIRES_AT: credential.expires_at ?? undefined,
    CODEX_AUTHD_ACCOUNT: credential.account,
    CODEX_AUTHD_ACCOUNT_ID: credential.account_id ?? undefined,
    CODEX_AUTHD_BASE_URL: credential.base_url,
    CODEX_AUTHD_SOCKET: socket,
  };
}
