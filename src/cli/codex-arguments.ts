import { basename } from 'node:path';
import { NO_LOGIN } from '../client/codex/merge.js';
import { commandProvider, PROVIDER_ID } from '../client/codex/provider.js';
import { configArguments } from '../client/codex/toml.js';
import type { CredentialBody } from '../protocol.js';

/**
 * Whether a command is a Codex that is to ask the daemon. Whatever else may start one is not looked into; and what
 * changes the login must find it where it is.
 */
export function asksDaemon(file: string, args: readonly string[]): boolean {
  if (!/^codex(\.exe)?$/.test(basename(file))) return false;
  const [first = ''] = args;
  // Which options take a value is Codex's business: behind one, any word may be the subcommand. Taken for one by mistake,
  // a Codex uses the login that it finds; the other way round, it would forget the new one.
  const candidates = first.startsWith('-') ? args : [first];
  return !candidates.some((word) => ['login', 'logout'].includes(word));
}

/**
 * Codex's own options for a provider that asks the daemon. They stand before those of whoever calls, of which Codex
 * takes the later one: another provider chosen there is obeyed.
 */
export function codexArguments(credential: CredentialBody, socket: string): string[] {
  const provider = commandProvider({ credential, socket });
  return configArguments({
    ...NO_LOGIN,
    model_provider: PROVIDER_ID,
    model_providers: { [PROVIDER_ID]: provider },
  });
}
