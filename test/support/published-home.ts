import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoginTokens } from './login-file.js';
import { fingerprintOf } from './tokens.js';

/** What an auth.json in a published directory says. */
export interface PublishedDocument {
  readonly auth_mode: string;
  readonly OPENAI_API_KEY: null;
  readonly tokens: LoginTokens;
  readonly last_refresh: string;
}

/** @throws if there is no such file, it is no whole JSON, or others may read it */
export async function readPublished(directory: string): Promise<PublishedDocument> {
  const path = join(directory, 'auth.json');
  const { mode } = await stat(path);
  if ((mode & 0o777) !== 0o600) throw new Error(`${path} has mode ${mode.toString(8)}`);
  return JSON.parse(await readFile(path, 'utf8')) as PublishedDocument;
}

/** The fingerprint of the published access token; null while there is no file. */
export async function publishedFingerprint(directory: string): Promise<string | null> {
  try {
    return fingerprintOf((await readPublished(directory)).tokens.access_token);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Files that stay in a published directory by design: the one that is published, and Codex's own locks (facts 3.1). */
const AT_HOME = ['auth.json', 'auth.json.lock', 'auth.lock'];

/** The names of the files in a published directory that should not be there. */
export async function strangers(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => !AT_HOME.includes(name));
}

/**
 * Whatever in the directory holds a refresh token: each file is read as it is, temporary ones too. The tokens of these
 * tests begin with `rt_`, and the field of one must be empty.
 */
export async function refreshTokensIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(directory)) {
    // One that has gone meanwhile is not in the directory any more.
    const text = await readFile(join(directory, name), 'latin1').catch(() => '');
    if (holdsRefreshToken(text)) found.push(name);
  }
  return found;
}

export function holdsRefreshToken(text: string): boolean {
  return /rt_[0-9a-f]{8}/.test(text) || /"refresh_token":\s*"[^"]/.test(text);
}
