import { resolve } from 'node:path';
import { publish, unpublish } from '../../client/published.js';
import { AuthdError } from '../../errors.js';
import { LONGEST_WAIT_SECONDS } from '../../protocol.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain } from '../output.js';
import { reachDaemon } from '../reach-daemon.js';
import { readSeconds } from '../seconds.js';
import { describeExpiry } from '../show-credential.js';

export const run: Command = async (invocation) => {
  const { account, options, operands, switches, json, output } = invocation;
  const wait = readSeconds(options, 'wait', LONGEST_WAIT_SECONDS);
  const directory = absolute(operands[0] ?? '');
  const socket = await reachDaemon(invocation);
  const request = { directory, socket, account, wait };
  if (switches.has('stop')) {
    await unpublish(request);
    if (json) await output.json({ directory, published: false });
    else await output.data(`not published any more: ${plain(directory)}\n`);
    return EXIT.ok;
  }
  const published = await publish(request);
  const { auth_file: file, generation, expires_at: expiresAt } = published;
  const what = `generation ${String(generation)}, ${describeExpiry(expiresAt, Date.now())}`;
  if (json) await output.json(published);
  else await output.data(`published: ${plain(file)}: ${what}\n`);
  return EXIT.ok;
};

/** An empty path, as an unset variable leaves one, must not mean the directory that happens to be the current one. */
function absolute(directory: string): string {
  if (directory !== '') return resolve(directory);
  throw new AuthdError('usage', 'DIR is empty', { hint: 'name the directory; `.` is the current one' });
}
