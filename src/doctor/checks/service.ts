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
const UNITS = 'codex-authd.socket codex-authd.service';

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
    const enablement = platform === 'linux' ? await readEnablement(env) : null;
    // A masked one leads to nothing, and cannot be installed over.
    if (enablement === 'masked')
      return warn(
        `${file} is masked: the daemon does not start by itself`,
        `systemctl --user unmask ${UNITS} && ${INSTALL}`,
      );
    if (words.length === 0) return fail(`${file} starts nothing`, INSTALL);
    for (const [index, path] of words.slice(0, 2).entries()) {
      if (isAbsolute(path) && !(await isThere(path, index === 0 ? constants.X_OK : constants.R_OK)))
        return fail(`${file} starts ${path}, which is not there any more`, INSTALL);
    }
    if (enablement === 'disabled')
      return warn(
        `${file} is disabled: the daemon does not start by itself`,
        `systemctl --user enable ${UNITS}`,
      );
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

function isThere(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
