import { chooseAccount } from '../../client/choose-account.js';
import { refreshCredential } from '../../client/refresh.js';
import { LONGEST_WAIT_SECONDS } from '../../protocol.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { reachDaemon } from '../reach-daemon.js';
import { readSeconds } from '../seconds.js';
import { describeCredential, withoutToken } from '../show-credential.js';

export const run: Command = async (invocation) => {
  const { account, options, env, json, output } = invocation;
  const wait = readSeconds(options, 'wait', LONGEST_WAIT_SECONDS);
  const socket = await reachDaemon(invocation);
  const credential = await refreshCredential({ socket, account: chooseAccount(account, env), wait });
  if (json) await output.json(withoutToken(credential));
  else await output.data(`new credential: ${describeCredential(credential, Date.now())}\n`);
  return EXIT.ok;
};
