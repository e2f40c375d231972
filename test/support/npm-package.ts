import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmInstall } from './npm.js';

const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url));

/**
 * The directory under `.cache` in which a package from npm is installed, when it is asked for the first time. It is no part
 * of the repository. Whole or not at all: two test files may want it at once, and a download may break off.
 *
 * @param name where in the cache, for example `codex/0.169.0`
 * @param what what npm installs, for example `@openai/codex@0.169.0`
 */
export async function installed(name: string, what: string): Promise<string> {
  const home = join(CACHE, name);
  if (await exists(home)) return home;
  await mkdir(dirname(home), { recursive: true });
  const draft = await mkdtemp(join(dirname(home), `.${basename(home)}-`));
  try {
    await npmInstall(what, draft);
    await rename(draft, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error;
    });
    return home;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
