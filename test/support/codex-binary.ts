import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmInstall } from './npm.js';

/** The versions whose ways of writing differ: the one that the newest TypeScript SDK brings, and the newest (facts 3). */
export const CODEX_VERSIONS = ['0.163.0', '0.169.0'] as const;
export type CodexVersion = (typeof CODEX_VERSIONS)[number] | '0.166.0';

/** How long a download of 400 MB may take, in milliseconds. */
export const CODEX_INSTALL_TIMEOUT_MS = 600_000;

const CACHE = fileURLToPath(new URL('../../.cache/codex', import.meta.url));

/**
 * The path of a real Codex. It comes from npm into `.cache/codex`, which is not part of the repository, when it is
 * asked for the first time.
 */
export async function codexBinary(version: CodexVersion): Promise<string> {
  return binaryIn(await installed(version, `@openai/codex@${version}`));
}

/** The newest SDK for TypeScript, which brings a Codex of the same version. */
const SDK_VERSION = '0.163.0';

/** The directory of the real package `@openai/codex-sdk`, from the same cache. */
export async function sdkPackage(): Promise<string> {
  const home = await installed(`sdk-${SDK_VERSION}`, `@openai/codex-sdk@${SDK_VERSION}`);
  return join(home, 'node_modules', '@openai', 'codex-sdk');
}

async function binaryIn(home: string): Promise<string> {
  const vendor = join(home, 'node_modules', '@openai', `codex-${process.platform}-${process.arch}`, 'vendor');
  const [triple] = await readdir(vendor);
  if (triple === undefined) throw new Error(`there is no Codex for this system in ${vendor}`);
  return join(vendor, triple, 'bin', 'codex');
}

/** The place in the cache where a package is installed. Whole or not at all: two test files may want it at once, and a download may break off. */
async function installed(name: string, what: string): Promise<string> {
  const home = join(CACHE, name);
  if (await exists(home)) return home;
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, `.${name}-`));
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
