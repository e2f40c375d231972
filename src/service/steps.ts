import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';

/** One thing that is done to the machine, and that can be told before it is done. */
export interface Step {
  /** In the imperative: `write /home/ada/.config/systemd/user/codex-authd.service`. */
  readonly does: string;
  readonly run: () => Promise<void>;
}

/** A file of the service. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
}

/** The text of a file; null if there is none. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw failure(`${path} cannot be read`, error);
  }
}

/** Writes a file whole; 0600, because the variables in it may hold the password of a proxy. */
export function writing({ path, text }: ServiceFile): Step {
  return {
    does: `write ${path}`,
    run: async () => {
      const temporary = `${path}.new`;
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(temporary, text, { mode: 0o600 });
        await chmod(temporary, 0o600);
        await rename(temporary, path);
      } catch (error) {
        throw failure(`${path} cannot be written`, error);
      }
    },
  };
}

export function removing(path: string): Step {
  return {
    does: `remove ${path}`,
    run: async () => {
      try {
        await rm(path, { force: true });
      } catch (error) {
        throw failure(`${path} cannot be removed`, error);
      }
    },
  };
}

function failure(what: string, error: unknown): AuthdError {
  return new AuthdError('storage', `${what}: ${systemErrorCode(error) ?? describeError(error)}`, {
    hint: 'look at who owns the directory; nothing else was changed after that',
    cause: error,
  });
}
