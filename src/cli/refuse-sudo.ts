import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';

/**
 * With `sudo` and somebody's own home (as macOS keeps it), the daemon would be root's, and so would the files that it
 * makes there: that one could start none of his own later.
 *
 * @throws AuthdError `bad_configuration`
 */
export async function refuseSudo(env: Environment): Promise<void> {
  const caller = Number(env['SUDO_UID'] ?? 0);
  if (process.getuid?.() !== 0 || caller === 0) return;
  const home = homedir();
  const owner = await stat(home).then(
    (info) => info.uid,
    () => 0,
  );
  if (owner !== caller) return;
  throw new AuthdError('bad_configuration', `with sudo, the daemon would keep ${home} as root`, {
    hint: 'run it as yourself, without sudo',
  });
}
