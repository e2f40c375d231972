import { beforeAll, describe, expect, it } from 'vitest';
import { CODEX_INSTALL_TIMEOUT_MS, codexBinary, sdkPackage } from '../support/codex-binary.js';
import { ACCOUNT_ID, fingerprintOf } from '../support/tokens.js';
import { BINARIES, startDaemon } from './sdk-stage.js';
import { isCodex, logIn, NOBODY_REFRESHES_S, setStage } from './stage-set.js';

beforeAll(async () => {
  await sdkPackage();
  await codexBinary('0.169.0');
}, CODEX_INSTALL_TIMEOUT_MS);

describe.each(BINARIES)('the real SDK with the Codex %s', (binary) => {
  it.each(['command', 'environment'] as const)(
    'asks what 1+1 is, on the route %s, and is told 2',
    async (route) => {
      const stage = await setStage('');
      const { access_token: token } = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
      const started = await startDaemon(stage);
      const { endpoint, model } = started;
      model.reply = '2';
      const { finalResponse } = await (await started.thread(binary, { route })).run('1+1');
      expect(finalResponse).toBe('2');
      expect(model.turns('answered')).toMatchObject([
        { outcome: 'answered', accountId: ACCOUNT_ID, fingerprint: fingerprintOf(token) },
      ]);
      expect(JSON.stringify(model.turns('answered')[0]?.body)).toContain('1+1');
      expect(endpoint.requests.filter(isCodex)).toEqual([]);
    },
  );
});
