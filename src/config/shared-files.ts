import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AuthdError } from '../errors.js';

interface Placed {
  readonly name: string;
  readonly codexHome: string;
}

/**
 * Two keepers of one auth.json would spend its refresh token twice. Links count by where they lead.
 *
 * @throws AuthdError `bad_configuration`
 */
export async function refuseSharedFiles(accounts: readonly Placed[]): Promise<void> {
  const owners = new Map<string, string>();
  for (const { name, codexHome } of accounts) {
    const file = await locate(codexHome);
    const owner = owners.get(file);
    if (owner !== undefined) {
      throw new AuthdError(
        'bad_configuration',
        `the accounts \`${owner}\` and \`${name}\` have the same auth.json`,
        {
          hint: `it is ${file}: give each [[account]] a \`codex_home\` of its own; $CODEX_HOME and \`--codex-home\` set that of \`default\``,
        },
      );
    }
    owners.set(file, name);
  }
}

/** Where the file really is; as far as that can be told where it is not there yet. */
async function locate(home: string): Promise<string> {
  const path = join(home, 'auth.json');
  const file = await realpath(path).catch(() => null);
  if (file !== null) return file;
  return join(await realpath(home).catch(() => resolveParent(home)), 'auth.json');
}

function resolveParent(home: string): Promise<string> {
  const parent = dirname(home);
  return realpath(parent).then(
    (real) => join(real, home.slice(parent.length)),
    () => home,
  );
}
