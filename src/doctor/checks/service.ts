import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { fail, ok, warn } from '../finding.js';
import {
  findInstalledService,
  hasServiceManager,
  isLingering,
  readEnablement,
} from '../installed-service.js';
import type { Check, Scene } from '../scene.js';

const INSTALL = 'codex-authd service install';

/** Whether the daemon starts by itself, and what its service starts is there still. */
export const checkService: Check<Scene> = {
  id: 'service',
  run: async ({ env, platform }) => {
    const service = await findInstalledService(env, platform);
    if (service === null) {
      if (await hasServiceManager(env, platform))
        return warn('no service is installed: the daemon does not start by itself', INSTALL);
      return ok('there is no service manager here: `codex-authd up` starts the daemon in the background');
    }
    const { file, words } = service;
    if (words.length === 0) return fail(`${file} starts nothing`, INSTALL);
    for (const path of words.slice(0, 2).filter((word) => isAbsolute(word))) {
      if (!(await isThere(path))) return fail(`${file} starts ${path}, which is not there any more`, INSTALL);
    }
    const enablement = platform === 'linux' ? await readEnablement(env) : null;
    if (enablement === 'disabled' || enablement === 'masked') {
      const enable = `systemctl --user ${enablement === 'masked' ? 'unmask' : 'enable'} codex-authd.service`;
      return warn(`${file} is ${enablement}: the daemon does not start by itself`, enable);
    }
    return ok(enablement === null ? file : `${file} is ${enablement}`);
  },
};

/** Whether the service outlives the last logout, where nobody sits before a screen. */
export const checkLingering: Check<Scene> = {
  id: 'lingering',
  run: async ({ env, platform }) => {
    if (platform !== 'linux') return ok('not needed on this system');
    if ([env['DISPLAY'], env['WAYLAND_DISPLAY']].some((display) => (display ?? '') !== '')) {
      return ok('not needed: there is a desktop');
    }
    if ((await findInstalledService(env, platform)) === null)
      return ok('not needed: no service is installed');
    const isOn = await isLingering(env);
    if (isOn === null) return ok('not known: loginctl does not tell');
    if (isOn) return ok("the user's services run without a login");
    const user = env['USER'] ?? '';
    return warn(
      'the service ends with the last logout, and does not start before the next login',
      user === '' ? 'loginctl enable-linger' : `loginctl enable-linger ${quoteForShell(user)}`,
    );
  },
};

function isThere(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
