import { AuthdError } from '../../errors.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { fail, ok, warn, type Verdict } from '../finding.js';
import type { AccountScene, Check } from '../scene.js';

export const RESTART = 'codex-authd down && codex-authd up';

const NOTICED_MS = 60 * 1000;
/** Codex refreshes so long before the end: a clock that is further off makes it refresh too late, or all the time. */
const HARMFUL_MS = 5 * 60 * 1000;

/** Whether the token endpoint can be reached: name, proxy, certificates. */
export const checkTokenEndpoint: Check<AccountScene> = {
  id: 'token-endpoint',
  run: async ({ config, env, reach, daemon }) => {
    const reached = await reach();
    const host = new URL(config.tokenEndpoint).host;
    const via = reached.proxy === null ? '' : `, through the proxy in ${reached.proxy}`;
    if (reached.kind === 'reached') return ok(`${host} answers${via}`);
    const found = `${host} cannot be reached${via}: ${reached.message}`;
    switch (reached.obstacle) {
      case 'proxy':
        return fail(found, alsoFor(daemon, `unset ${reached.proxy ?? 'HTTPS_PROXY'}`));
      case 'certificate':
        return fail(found, alsoFor(daemon, 'export CODEX_CA_CERTIFICATE=FILE'));
      case 'settings':
        return fail(found, alsoFor(daemon, `unset ${namedIn(reached.message, env)}`));
      case 'name':
      case 'connection':
        return fail(found, `curl --head ${quoteForShell(config.tokenEndpoint)}`);
    }
  },
};

/** A daemon that runs has the environment of the shell that started it. */
function alsoFor(daemon: AccountScene['daemon'], command: string): string {
  return daemon instanceof AuthdError ? command : `${command} && ${RESTART}`;
}

/** Whether this machine's clock is the server's. */
export const checkClock: Check<AccountScene> = {
  id: 'clock',
  run: async ({ reach, platform, nowMs }) => {
    const reached = await reach();
    if (reached.kind === 'failed' || reached.serverTimeMs === null) {
      return ok('not known: the token endpoint does not tell the time');
    }
    return judgeClock(reached.serverTimeMs - nowMs, platform);
  },
};

export function judgeClock(behindMs: number, platform: NodeJS.Platform): Verdict {
  const offMs = Math.abs(behindMs);
  if (offMs <= NOTICED_MS) return ok("the clock is the server's");
  const seconds = String(Math.round(offMs / 1000));
  const found = `the clock is ${seconds} s ${behindMs > 0 ? 'behind' : 'ahead of'} the server's`;
  const set = platform === 'darwin' ? 'sudo sntp -sS time.apple.com' : 'sudo timedatectl set-ntp true';
  return offMs > HARMFUL_MS ? fail(found, set) : warn(found, set);
}

const NAMES = ['CODEX_CA_CERTIFICATE', 'SSL_CERT_FILE', 'HTTPS_PROXY'];

/** The variable that a message complains of, as it is written in this environment. */
function namedIn(message: string, env: AccountScene['env']): string {
  const name = NAMES.find((each) => message.includes(each)) ?? 'HTTPS_PROXY';
  return env[name] === undefined ? name.toLowerCase() : name;
}
