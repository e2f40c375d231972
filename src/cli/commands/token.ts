import { findSocket } from '../../client/find-socket.js';
import { askCredential } from '../ask-credential.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { reachDaemon } from '../reach-daemon.js';

export const run: Command = async (invocation) => {
  const { settings, env, json, switches, output } = invocation;
  const credential = switches.has('codex')
    ? await (
        await import('../ask-for-codex.js')
      ).askForCodex(invocation, await findSocket({ ...settings, env }))
    : await askCredential(invocation, await reachDaemon(invocation));
  const { access_token, expires_at } = credential;
  await (json ? output.json({ access_token, expires_at }) : output.data(`${access_token}\n`));
  return EXIT.ok;
};
