import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { findHindrance, type Hindrance } from '../../auth-file/hindrance.js';
import { locateRealFile } from '../../auth-file/locate.js';
import { systemErrorCode } from '../../errors.js';
import { systemFileSystem } from '../../os/file-system.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { fail, ok, warn, type Verdict } from '../finding.js';
import type { AccountScene, Check } from '../scene.js';

/** A rotation needs some 100 KiB: two journals and the new file. */
const NEEDED_BYTES = 1024 * 1024;
const COMFORTABLE_BYTES = 16 * NEEDED_BYTES;

/** Whether a new auth.json can be put where the real one is. */
export const checkDirectory: Check<AccountScene> = {
  id: 'directory',
  run: async ({ path, uid, platform }) => {
    const realPath = await locateRealFile(systemFileSystem, path);
    const hindrance = await findHindrance(systemFileSystem, realPath);
    return hindrance === null ? judgeDirectory(dirname(realPath), uid, platform) : judge(hindrance, realPath);
  },
};

/** Whether there is room for one, there and where the journals are. */
export const checkSpace: Check<AccountScene> = {
  id: 'space',
  run: async ({ path, settings }) => {
    const home = dirname(await locateRealFile(systemFileSystem, path));
    const places = await Promise.all(
      [home, settings.stateDirectory].map(async (directory) => ({
        directory,
        bytes: (await freeBytes(directory)) ?? Infinity,
      })),
    );
    const fullest = places.reduce((one, other) => (other.bytes < one.bytes ? other : one));
    return judgeSpace(fullest.bytes, fullest.directory);
  },
};

/** Who has mounted a file did it elsewhere, perhaps outside of this container: here it can be shown. */
function judge({ detail, hint, command }: Hindrance, realPath: string): Verdict {
  if (command !== null) return fail(detail, command);
  return fail(`${detail}: ${hint}`, `findmnt ${quoteForShell(realPath)}`);
}

export function judgeSpace(freeBytes: number, directory: string): Verdict {
  if (freeBytes === Infinity) return ok('not known yet: the directories are not there');
  const left = `${String(Math.floor(freeBytes / 1024 / 1024))} MiB are free in ${directory}`;
  const largest = `du -xak ${quoteForShell(directory)} | sort -n | tail`;
  if (freeBytes < NEEDED_BYTES) return fail(`${left}: no new login could be stored`, largest);
  if (freeBytes < COMFORTABLE_BYTES) return warn(`only ${left}`, largest);
  return ok(left);
}

async function judgeDirectory(
  directory: string,
  uid: number | undefined,
  platform: NodeJS.Platform,
): Promise<Verdict> {
  const quoted = quoteForShell(directory);
  try {
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return fail(`there is no ${directory}`, `mkdir -p -m 700 ${quoted}`);
    if (code === 'EROFS') {
      const [remount, find] =
        platform === 'linux'
          ? ['-o remount,rw', `findmnt --noheadings --output TARGET --target ${quoted}`]
          : ['-uw', `df ${quoted} | awk 'END { print $NF }'`];
      return fail(`${directory} is read-only`, `sudo mount ${remount} "$(${find})"`);
    }
    return fail(`nothing can be written into ${directory}`, await opening(directory, uid));
  }
  const { mode } = await stat(directory);
  // What root may do says nothing of whoever the daemon runs as.
  if (uid === 0 && (mode & 0o300) !== 0o300)
    return warn(`only root can write into ${directory}`, `chmod u+rwx ${quoted}`);
  return ok(`${directory} is writable`);
}

async function opening(directory: string, uid: number | undefined): Promise<string> {
  const quoted = quoteForShell(directory);
  const owner = await stat(directory).then(
    (info) => info.uid,
    () => undefined,
  );
  return owner === uid ? `chmod u+rwx ${quoted}` : `sudo chown ${String(uid)} ${quoted}`;
}

async function freeBytes(directory: string): Promise<number | null> {
  return statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
}
