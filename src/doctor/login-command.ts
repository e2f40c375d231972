import { codexHome } from '../os/paths.js';
import { quoteForShell } from '../os/quote-for-shell.js';
import type { AccountScene } from './scene.js';

/** The login that puts an account's auth.json where the daemon looks for it. */
export function loginCommand({ config, env }: Pick<AccountScene, 'config' | 'env'>): string {
  if (config.codexHome === codexHome(env)) return 'codex login';
  return `CODEX_HOME=${quoteForShell(config.codexHome)} codex login`;
}
