import { realpath, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { locateRealFile } from '../../auth-file/locate.js';
import { systemFileSystem } from '../../os/file-system.js';
import { codexHome } from '../../os/paths.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { ok, warn } from '../finding.js';
import type { AccountScene, Check } from '../scene.js';

interface Kind {
  readonly name: string;
  /** Null where it is as good as any. */
  readonly flaw: string | null;
}

const NETWORK = 'the kernel tells nobody of changes that another machine makes, and locks may not reach it';
const VOLATILE = 'the login is gone when the machine starts anew';
const MODELESS = 'it keeps no modes, so others may read the login';

/** By the magic number of statfs(2), on Linux; what is not here is as good as any. */
const KINDS: Readonly<Record<number, Kind>> = {
  0x6969: { name: 'NFS', flaw: NETWORK },
  0xff534d42: { name: 'CIFS', flaw: NETWORK },
  0xfe534d42: { name: 'SMB', flaw: NETWORK },
  0x01021997: { name: '9P', flaw: NETWORK },
  0x01021994: { name: 'tmpfs', flaw: VOLATILE },
  0x858458f6: { name: 'ramfs', flaw: VOLATILE },
  0x4d44: { name: 'FAT', flaw: MODELESS },
  0x2011bab0: { name: 'exFAT', flaw: MODELESS },
  0xef53: { name: 'ext', flaw: null },
};

const UNKNOWN: Kind = { name: 'a local file system', flaw: null };

/** Whether the file lies where a login is safe. */
export const checkFileSystem: Check<AccountScene> = {
  id: 'file-system',
  run: async ({ path, platform, env, config }) => {
    const directory = dirname(await locateRealFile(systemFileSystem, path));
    const type = await statfs(directory).then(
      (info) => info.type,
      () => undefined,
    );
    if (type === undefined) return ok('not known yet: the directory is not there');
    const { name, flaw } = platform === 'linux' ? fileSystemOf(type) : UNKNOWN;
    if (flaw === null) return ok(name);
    const found = `auth.json lies on ${name}: ${flaw}`;
    // A home is where it is, and so is what a configuration or a link names.
    const { CODEX_HOME: _, ...without } = env;
    const isChosen = config.codexHome === codexHome(env) && config.codexHome !== codexHome(without);
    if (!isChosen || directory !== (await realpath(config.codexHome))) return ok(found);
    // Moved, never copied: two files with one refresh token end the login. And over no other login.
    const goal = '"$HOME"/.codex';
    const move = `mkdir -p -m 700 ${goal} && test ! -e ${goal}/auth.json && mv ${quoteForShell(path)} ${goal}/ && unset CODEX_HOME`;
    return warn(found, move);
  },
};

export function fileSystemOf(type: number): Kind {
  return KINDS[type >>> 0] ?? UNKNOWN;
}
