import { findSocket } from '../../client/find-socket.js';
import { askCredential } from '../ask-credential.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';

export const run: Command = async (invocation) => {
  const { settings, env, json, output } = invocation;
  const credential = await askCredential(invocation, await findSocket({ ...settings, env }));
  const { access_token, expires_at } = credential;
  await (json ? output.json({ access_token, expires_at }) : output.data(`${access_token}\n`));
  return EXIT.ok;
};
