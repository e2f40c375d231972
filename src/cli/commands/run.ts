import type { Command } from '../command.js';
import { refuseSudo } from '../refuse-sudo.js';

export const run: Command = async ({ settings, account, env }) => {
  await refuseSudo({ env, settings });
  const { runDaemon } = await import('../../daemon.js');
  return runDaemon({ flags: settings, env, account });
};
