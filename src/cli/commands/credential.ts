import { findSocket } from '../../client/find-socket.js';
import { askCredential } from '../ask-credential.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';

export const run: Command = async (invocation) => {
  const { settings, env, output } = invocation;
  await output.json(await askCredential(invocation, await findSocket({ ...settings, env })));
  return EXIT.ok;
};
