import { askCredential } from '../ask-credential.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { reachDaemon } from '../reach-daemon.js';

export const run: Command = async (invocation) => {
  await invocation.output.json(await askCredential(invocation, await reachDaemon(invocation)));
  return EXIT.ok;
};
