import { join } from 'node:path';
import { readOtherStore } from '../../auth-file/credential-store.js';
import { systemFileSystem } from '../../os/file-system.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { fail, ok, warn } from '../finding.js';
import { loginCommand } from '../login-command.js';
import type { AccountScene, Check } from '../scene.js';

/** Whether Codex keeps its login in auth.json at all (facts 1.6). */
export const checkCredentialStore: Check<AccountScene> = {
  id: 'credential-store',
  run: async (scene) => {
    const { codexHome } = scene.config;
    const store = await readOtherStore(systemFileSystem, codexHome);
    if (store === null) return ok('Codex keeps its login in auth.json');
    const setting = 'cli_auth_credentials_store';
    // `-i.bak` is what both seds understand.
    const edit = `sed -i.bak 's/^ *${setting} *=.*/${setting} = "file"/' ${quoteForShell(join(codexHome, 'config.toml'))}`;
    const found = `Codex keeps its login elsewhere: ${setting} = "${store}"`;
    const mend = `${edit} && ${await loginCommand(scene)}`;
    return store === 'auto' ? warn(found, mend) : fail(found, mend);
  },
};
