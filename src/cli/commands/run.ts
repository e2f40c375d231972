import type { Command } from '../command.js';

export const run: Command = async ({ settings, account, env }) => {
  const { runDaemon } = await import('../../daemon.js');
  return runDaemon({ flags: settings, env, account });
};
