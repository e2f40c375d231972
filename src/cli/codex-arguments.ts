import { basename } from 'node:path';
import { commandProvider } from '../client/codex/provider.js';
import { providerArguments } from '../client/codex/toml.js';
import type { CredentialBody } from '../protocol.js';

/** Whether a command is Codex itself: what takes its options. Whatever else may start one is not looked into. */
export function isCodex(file: string): boolean {
  return /^codex(\.exe)?$/.test(basename(file));
}

/**
 * Codex's own options for a provider that asks the daemon. They stand before those of whoever calls, of which Codex
 * takes the later one: another provider chosen there is obeyed.
 */
export function codexArguments(
  credential: CredentialBody,
  socket: string,
  account: string | undefined,
): string[] {
  return providerArguments(commandProvider({ credential, socket, account }));
}
