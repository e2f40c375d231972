import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findProgram } from '../../os/find-program.js';
import type { Environment } from '../../os/paths.js';
import { runProgram } from '../../os/run-program.js';
import { ok, warn, type Verdict } from '../finding.js';
import type { Check, Scene } from '../scene.js';

const UPDATE = 'npm install --global @openai/codex@latest';

/** Which Codex is there, and how it treats auth.json (facts 3). */
export const checkCodex: Check<Scene> = {
  id: 'codex',
  run: async ({ env }) => {
    const program = await findProgram('codex', env);
    if (program === null) return ok('there is no codex on the PATH');
    const version = (await packagedVersion(program)) ?? (await statedVersion(program, env));
    if (version === null) return warn(`the version of ${program} cannot be told`, UPDATE);
    return judgeCodex(version);
  },
};

export function judgeCodex(version: string): Verdict {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const what = `codex ${version}`;
  if (major > 0 || minor >= 169) return ok(`${what} locks auth.json and replaces it whole`);
  if (minor >= 166) return warn(`${what} locks auth.json, but truncates it while it writes`, UPDATE);
  return warn(`${what} takes no lock, and truncates auth.json while it writes`, UPDATE);
}

/** Of the package that a program lies in, as npm installs it: nothing has to be run. */
async function packagedVersion(program: string): Promise<string | null> {
  try {
    const manifest = join(dirname(dirname(await realpath(program))), 'package.json');
    const text: unknown = JSON.parse(await readFile(manifest, 'utf8'));
    if (typeof text !== 'object' || text === null || !('name' in text) || !('version' in text)) return null;
    return text.name === '@openai/codex' ? versionIn(String(text.version)) : null;
  } catch {
    return null;
  }
}

/** As it says itself; in a home of its own, because some versions make files in theirs whatever they are asked. */
async function statedVersion(program: string, env: Environment): Promise<string | null> {
  const home = await mkdtemp(join(tmpdir(), 'codex-authd-doctor-'));
  try {
    const answer = await runProgram(program, ['--version'], { ...env, HOME: home, CODEX_HOME: home });
    return answer === null ? null : versionIn(answer.stdout);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function versionIn(text: string): string | null {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? null;
}
