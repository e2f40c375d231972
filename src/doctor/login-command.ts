import { findProgram } from '../os/find-program.js';
import { codexHome } from '../os/paths.js';
import { quoteForShell } from '../os/quote-for-shell.js';
import type { AccountScene } from './scene.js';

/**
 * The login that puts an account's auth.json where the daemon looks for it. Who has Codex from its SDK has no command of
 * that name; npx finds the package beside the SDK, or fetches it.
 */
export async function loginCommand({ config, env }: Pick<AccountScene, 'config' | 'env'>): Promise<string> {
  const isInstalled = (await findProgram('codex', env)) !== null;
  const login = isInstalled ? 'codex login' : 'npx --yes @openai/codex login';
  if (config.codexHome === codexHome(env)) return login;
  return `CODEX_HOME=${quoteForShell(config.codexHome)} ${login}`;
}
