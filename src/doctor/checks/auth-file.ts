import type { Stats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { systemErrorCode } from '../../errors.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { fail, ok, warn, type Verdict } from '../finding.js';
import { loginCommand } from '../login-command.js';
import type { AccountScene, Check } from '../scene.js';

/** Whether there is an auth.json, and what kind of thing it is. */
export const checkAuthFile: Check<AccountScene> = {
  id: 'auth-file',
  run: async (scene) => {
    const { path } = scene;
    const quoted = quoteForShell(path);
    try {
      const entry = await lstat(path);
      const info = entry.isSymbolicLink() ? await statOrNull(path) : entry;
      if (info === null) {
        return fail(`${path} is a link to nothing`, `rm ${quoted} && ${await loginCommand(scene)}`);
      }
      if (!info.isFile()) {
        return fail(`${path} is no file`, `mv ${quoted} ${quoted}.old && ${await loginCommand(scene)}`);
      }
      if (info.nlink > 1) {
        return warn(
          `${path} has ${String(info.nlink)} names: the others keep an old login after the next rotation`,
          `cp -p ${quoted} ${quoted}.copy && mv ${quoted}.copy ${quoted}`,
        );
      }
      return ok(entry.isSymbolicLink() ? `${path} leads to ${await realpath(path)}` : path);
    } catch (error) {
      return await absence(scene, error);
    }
  },
};

/** Whether nobody else can read the refresh token, and the daemon can. */
export const checkAuthFileMode: Check<AccountScene> = {
  id: 'auth-file-mode',
  run: async ({ path }) => {
    const info = await statOrNull(path);
    if (info === null) return ok('there is no file');
    const mode = info.mode & 0o777;
    const text = mode.toString(8).padStart(4, '0');
    const mend = `chmod 600 ${quoteForShell(path)}`;
    if ((mode & 0o077) !== 0) return fail(`auth.json is open to other users (mode ${text})`, mend);
    if ((mode & 0o600) !== 0o600) return fail(`auth.json is closed to its owner (mode ${text})`, mend);
    return ok(`mode ${text}`);
  },
};

/** Whether the file is ours. */
export const checkAuthFileOwner: Check<AccountScene> = {
  id: 'auth-file-owner',
  run: async ({ path, uid }) => {
    const info = await statOrNull(path);
    if (info === null || uid === undefined) return ok('there is no file');
    if (info.uid === uid) return ok('auth.json is yours');
    const found = `auth.json belongs to the user with the number ${String(info.uid)}, and you have ${String(uid)}`;
    // Root can work with it, and its owner could not any more if it were root's.
    if (uid === 0) return warn(found, `sudo --set-home --user='#${String(info.uid)}' codex-authd doctor`);
    return fail(found, `sudo chown ${String(uid)} ${quoteForShell(path)}`);
  },
};

async function absence(scene: AccountScene, error: unknown): Promise<Verdict> {
  const code = systemErrorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return fail(`there is no ${scene.path}`, await loginCommand(scene));
  return fail(
    `${scene.path} cannot be looked at: ${code ?? 'unknown error'}`,
    `ls -ld ${quoteForShell(scene.path)}`,
  );
}

async function statOrNull(path: string): Promise<Stats | null> {
  return stat(path).catch(() => null);
}
