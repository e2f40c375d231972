import { chooseAccount } from '../../client/choose-account.js';
import { findSocket } from '../../client/find-socket.js';
import { refreshCredential } from '../../client/refresh.js';
import { LONGEST_WAIT_SECONDS } from '../../protocol.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { readSeconds } from '../seconds.js';
import { describeCredential, withoutToken } from '../show-credential.js';

export const run: Command = async ({ settings, account, options, env, json, output }) => {
  const wait = readSeconds(options, 'wait', LONGEST_WAIT_SECONDS);
  const socket = await findSocket({ ...settings, env });
  const credential = await refreshCredential({ socket, account: chooseAccount(account, env), wait });
  if (json) await output.json(withoutToken(credential));
  else await output.data(`new credential: ${describeCredential(credential, Date.now())}\n`);
  return EXIT.ok;
};
