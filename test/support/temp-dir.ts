import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that is removed with all that is in it: `await using directory = await makeTempDir();`. */
export interface TempDir extends AsyncDisposable {
  /** Absolute, with mode 0700; short enough for a Unix socket in it (facts 5.6). */
  readonly path: string;
  readonly remove: () => Promise<void>;
}

/** Makes a directory of its own under the system's directory for temporary files. */
export async function makeTempDir(prefix = 'authd-'): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const remove = () => rm(path, { recursive: true, force: true });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
