import { AuthdError } from '../../errors.js';
import { fail, ok, warn } from '../finding.js';
import { loginCommand } from '../login-command.js';
import type { AccountScene, Check } from '../scene.js';
import { RESTART } from './network.js';

const UNREACHED = ['offline', 'unreachable'];

/** What the keeper says of the login, or would say. */
export const checkLogin: Check<AccountScene> = {
  id: 'login',
  run: async (scene) => {
    const { state, detail, reason, serving } = await scene.status();
    if (state === 'fresh' || state === 'refreshing') return ok(detail);
    if (state !== 'degraded') return fail(`${state}: ${detail}`, await loginCommand(scene));
    // The daemon has the environment of whoever started it: from here, there is a way.
    const isCutOff = !(scene.daemon instanceof AuthdError) && UNREACHED.includes(reason);
    if (isCutOff && (await scene.reach()).kind === 'reached')
      return warn(`${detail}; from here, it is reached`, RESTART);
    // It is being worked at: what is in the way has a check of its own.
    if (serving) return warn(detail, 'codex-authd status');
    return fail(detail, scene.daemon instanceof AuthdError ? 'codex-authd up' : 'codex-authd refresh');
  },
};
