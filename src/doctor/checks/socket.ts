import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AuthdError } from '../../errors.js';
import { LONGEST_SOCKET_PATH_BYTES } from '../../os/paths.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { readVersion } from '../../version.js';
import { fail, ok, warn } from '../finding.js';
import { findInstalledService } from '../installed-service.js';
import type { Check, ConfiguredScene } from '../scene.js';
import { findKeeper, replaceHung } from './locks.js';

/** Whether a daemon answers. */
export const checkSocket: Check<ConfiguredScene> = {
  id: 'socket',
  run: async ({ daemon, socketPath, settings }) => {
    const bytes = Buffer.byteLength(socketPath);
    if (bytes > LONGEST_SOCKET_PATH_BYTES) {
      return fail(
        `the path of the socket has ${String(bytes)} bytes, over the limit of ${String(LONGEST_SOCKET_PATH_BYTES)}`,
        'export CODEX_AUTHD_SOCKET="$HOME"/.codex-authd/authd.sock',
      );
    }
    if (daemon instanceof AuthdError) {
      const files = settings.accounts.map(({ codexHome }) => join(codexHome, 'auth.json'));
      const hung = await findKeeper(files, socketPath);
      if (hung === null) return fail(daemon.message, 'codex-authd up');
      return fail(
        `the daemon with pid ${String(hung)} does not answer: ${daemon.message}`,
        replaceHung(hung),
      );
    }
    return ok(`the daemon answers at ${socketPath}`);
  },
};

/** Whether nobody else can get at the socket. */
export const checkSocketDirectory: Check<ConfiguredScene> = {
  id: 'socket-directory',
  run: async ({ socketPath, uid }) => {
    const directory = dirname(resolve(socketPath));
    const info = await stat(directory).catch(() => null);
    if (info === null) return ok(`${directory} is not there yet`);
    const another = 'export CODEX_AUTHD_SOCKET="$HOME"/.codex-authd/authd.sock';
    if (uid !== undefined && info.uid !== uid) return fail(`${directory} belongs to another user`, another);
    const mode = info.mode & 0o1777;
    if ((mode & 0o077) === 0) return ok(`${directory} is closed to others`);
    const found = `${directory} is open to other users (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`;
    // The sticky bit is for directories that are everybody's: closing one breaks more than it mends.
    return fail(found, (mode & 0o1000) === 0 ? `chmod 700 ${quoteForShell(directory)}` : another);
  },
};

/** Whether the daemon is of this version. */
export const checkDaemonVersion: Check<ConfiguredScene> = {
  id: 'daemon-version',
  run: async ({ daemon, env, platform }) => {
    if (daemon instanceof AuthdError) return ok('no daemon answers');
    const version = readVersion();
    if (daemon.version === version) return ok(version);
    const isService = (await findInstalledService(env, platform)) !== null;
    return warn(
      `the daemon is of version ${daemon.version}, this command line of ${version}`,
      isService ? 'codex-authd up' : 'codex-authd down && codex-authd up',
    );
  },
};
