import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { codexBinary, CODEX_INSTALL_TIMEOUT_MS, CODEX_VERSIONS } from '../support/codex-binary.js';
import { runTurn } from '../support/codex-process.js';
import { fingerprintOf } from '../support/tokens.js';
import { startDaemon } from './sdk-stage.js';
import { isCodex, logIn, NOBODY_REFRESHES_S, setStage } from './stage-set.js';

describe.each(CODEX_VERSIONS)('a real Codex %s with the config.toml of `codex-config --write`', (version) => {
  let binary = '';
  beforeAll(async () => {
    binary = await codexBinary(version);
  }, CODEX_INSTALL_TIMEOUT_MS);

  it('asks the daemon, and goes on within the turn in which the server ended its token', async () => {
    const stage = await setStage(binary);
    const { access_token: token } = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const { endpoint, model, sandbox, codex } = await startDaemon(stage);
    const written = await runCli(sandbox, ['codex-config', '--write']);
    expect(written).toMatchObject({ code: 0 });
    expect(await runTurn(codex)).toMatchObject({ code: 0 });
    endpoint.endAccessToken(token);
    expect(await runTurn(codex)).toMatchObject({ code: 0 });
    const [first, second] = model.turns('answered').map(({ fingerprint }) => fingerprint);
    expect(first).toBe(fingerprintOf(token));
    expect(second).not.toBe(first);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
  });
});
