import { AuthdError } from '../../errors.js';
import { DEFAULT_ACCOUNT } from '../../protocol.js';
import type { Command } from '../command.js';

export const run: Command = async ({ settings, account, env }) => {
  // Without this, whoever names an account would be kept another one, and never be told.
  if (account !== undefined && account !== DEFAULT_ACCOUNT) {
    throw new AuthdError('usage', `\`run\` keeps no account ${JSON.stringify(account)}`, {
      hint: `it keeps ${JSON.stringify(DEFAULT_ACCOUNT)}: leave --account out; for another auth.json name its directory with --codex-home`,
    });
  }
  const { runDaemon } = await import('../../daemon.js');
  return runDaemon({ flags: settings, env });
};
