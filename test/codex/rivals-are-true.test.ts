import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CODEX_INSTALL_TIMEOUT_MS, codexBinary } from '../support/codex-binary.js';
import { runTurn } from '../support/codex-process.js';
import { rotateAs } from '../support/rivals/acts.js';
import { codex0163 } from '../support/rivals/codex-0-163.js';
import { codex0166 } from '../support/rivals/codex-0-166.js';
import { codex0169 } from '../support/rivals/codex-0-169.js';
import { scratchDir } from '../support/scratch-dir.js';
import { CODEX_REFRESHES_S, logIn, NOBODY_REFRESHES_S, setStage, tokensInFile } from './stage-set.js';

/** What a rotation leaves in a home: the text without what differs from login to login, and how it came there. */
async function trace(home: string, rotation: () => Promise<unknown>): Promise<Record<string, unknown>> {
  const path = join(home, 'auth.json');
  const before = await stat(path);
  await rotation();
  const after = await stat(path);
  const text = await readFile(path, 'utf8');
  return {
    text: text.replace(/"((id|access|refresh)_token|last_refresh)": "[^"]+"/g, '"$1": "…"'),
    mode: after.mode & 0o777,
    isReplaced: after.ino !== before.ino,
    lockFiles: (await readdir(home))
      .filter((name) => name.startsWith('auth.') && name.endsWith('.lock'))
      .sort(),
  };
}

const RIVALS = [codex0163, codex0166, codex0169];

describe.each(RIVALS)('the rival that stands in for Codex $version', (rival) => {
  let binary = '';
  beforeAll(async () => {
    binary = await codexBinary(rival.version);
  }, CODEX_INSTALL_TIMEOUT_MS);

  it('leaves what the real one leaves', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox, authFile } = stage;
    await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    const real = await trace(sandbox.codexHome, () => runTurn(stage.codex));
    await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    const home = await scratchDir();
    await writeFile(join(home, 'auth.json'), await readFile(authFile), { mode: 0o600 });
    const stand = await trace(home, () => rotateAs(rival, join(home, 'auth.json'), endpoint.url));
    expect(stand).toEqual(real);
    expect(endpoint.requests.map(({ outcome }) => outcome)).toEqual(['rotated', 'rotated']);
  });

  it.each([
    ['another account’s login', 'acct-other'],
    ['a newer login of the same account', undefined],
  ])(
    'makes the same of %s that came into the file while it waited for its tokens',
    async (_what, accountId) => {
      const stage = await setStage(binary);
      const { endpoint, authFile } = stage;
      /** What is in the file after a rotation that met the other login. */
      const meet = async (rotation: () => Promise<unknown>): Promise<Record<string, unknown>> => {
        await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
        const gate = endpoint.holdNext();
        const rotating = rotation();
        await gate.arrived;
        const other = await logIn(stage, {
          lifetimeSeconds: NOBODY_REFRESHES_S,
          ...(accountId === undefined ? {} : { accountId }),
        });
        gate.open();
        await rotating;
        const { refresh_token, account_id } = await tokensInFile(stage);
        return { isTheirs: refresh_token === other.refresh_token, account_id };
      };
      const real = await meet(() => runTurn(stage.codex));
      const stand = await meet(() => rotateAs(rival, authFile, endpoint.url));
      expect(stand).toEqual(real);
    },
  );
});
