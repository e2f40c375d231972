import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { AuthdError } from '../errors.js';
import { codexHome } from '../os/paths.js';
import type { Invocation } from './command.js';

/**
 * With `sudo` and somebody's own home (as macOS keeps it) or login, the daemon would be root's, and so would the files that it
 * makes there: that one could start none of his own later.
 *
 * @throws AuthdError `bad_configuration`
 */
export async function refuseSudo({ env, settings }: Pick<Invocation, 'env' | 'settings'>): Promise<void> {
  const caller = Number(env['SUDO_UID'] ?? 0);
  if (process.getuid?.() !== 0 || caller === 0) return;
  for (const directory of [homedir(), settings.codexHome ?? codexHome(env)]) {
    const owner = await stat(directory).then(
      (info) => info.uid,
      () => 0,
    );
    if (owner !== caller) continue;
    throw new AuthdError('bad_configuration', `with sudo, the daemon would keep ${directory} as root`, {
      hint: 'run it as yourself, without sudo',
    });
  }
}
