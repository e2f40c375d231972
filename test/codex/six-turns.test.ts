import { beforeAll, describe, expect, it } from 'vitest';
import { CODEX_INSTALL_TIMEOUT_MS, CODEX_VERSIONS, codexBinary } from '../support/codex-binary.js';
import { startTurn, type CodexEnd } from '../support/codex-process.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { fingerprintOf } from '../support/tokens.js';
import { CODEX_REFRESHES_S, isCodex, logIn, setStage, tokensInFile, type StageSet } from './stage-set.js';

const TURNS = 6;

/** That many `codex exec` at once. */
async function runTurns({ codex }: StageSet): Promise<readonly CodexEnd[]> {
  const turns = await Promise.all(Array.from({ length: TURNS }, () => startTurn(codex)));
  return Promise.all(turns.map(({ ended }) => ended));
}

function succeeded(ends: readonly CodexEnd[]): number {
  return ends.filter(({ code }) => code === 0).length;
}

describe.each(CODEX_VERSIONS)('six turns of a real Codex %s at once', (version) => {
  let binary = '';
  beforeAll(async () => {
    binary = await codexBinary(version);
  }, CODEX_INSTALL_TIMEOUT_MS);

  it('cost the login without the daemon: each of them sends the same refresh token (facts 2.3)', async () => {
    const stage = await setStage(binary);
    const { endpoint } = stage;
    const tokens = await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    // The first answer comes when all of them have asked: that none of them waits for another one is the point.
    const gates = Array.from({ length: TURNS }, () => endpoint.holdNext());
    const ending = runTurns(stage);
    await endpoint.request(TURNS);
    for (const gate of gates) gate.open();
    const ends = await ending;

    const sent = endpoint.requests.filter(
      ({ fingerprint }) => fingerprint === fingerprintOf(tokens.refresh_token),
    );
    console.info(`${version} alone: ${String(succeeded(ends))} of ${String(TURNS)} turns`);
    expect(succeeded(ends)).toBe(0);
    expect(sent.length).toBeGreaterThanOrEqual(TURNS);
    expect(endpoint.requests.every(isCodex)).toBe(true);
    expect(endpoint.isAlive((await tokensInFile(stage)).refresh_token)).toBe(false);
  });

  it('all succeed with the daemon, before, during and after its rotation, and Codex sends no refresh token', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    // 10 minutes are left: it is due by the default policy, and Codex would leave it alone for 5 minutes more.
    const due = await logIn(stage, { lifetimeSeconds: 3600, agoMs: 50 * 60_000 });

    const gate = endpoint.holdNext();
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    await gate.arrived;
    expect(succeeded(await runTurns(stage))).toBe(TURNS);

    const ending = runTurns(stage);
    gate.open();
    await log.until(
      ({ event, data }) => event === 'credential' && data.fingerprint !== fingerprintOf(due.access_token),
    );
    expect(succeeded(await ending)).toBe(TURNS);

    expect(succeeded(await runTurns(stage))).toBe(TURNS);
    console.info(`${version} with the daemon: ${String(3 * TURNS)} of ${String(3 * TURNS)} turns`);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
    expect(endpoint.isAlive((await tokensInFile(stage)).refresh_token)).toBe(true);
  });
});
