import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { CODEX_INSTALL_TIMEOUT_MS, CODEX_VERSIONS, codexBinary } from '../support/codex-binary.js';
import { codexEnvironment, QUIET_CONFIG, startTurn, type CodexEnd } from '../support/codex-process.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { fingerprintOf } from '../support/tokens.js';
import { isCodex, logIn, setStage, tokensInFile, type StageSet } from './stage-set.js';

const TURNS = 8;
/** An hour's token with 4 minutes left: both Codex and the daemon see it as due. */
const ABOUT_TO_EXPIRE = { lifetimeSeconds: 3600, agoMs: 56 * 60_000 };

/** That many `codex exec` at once. */
async function runTurns({ codex }: StageSet): Promise<readonly CodexEnd[]> {
  const turns = await Promise.all(Array.from({ length: TURNS }, () => startTurn(codex)));
  return Promise.all(turns.map(({ ended }) => ended));
}

/** The same through `codex-authd exec`. */
async function runTurnsThroughExec({ codex, sandbox }: StageSet): Promise<readonly CodexEnd[]> {
  const env = await codexEnvironment(codex);
  const args = ['exec', '--', codex.binary, 'exec', '--skip-git-repo-check', 'say hello'];
  return Promise.all(Array.from({ length: TURNS }, () => runCli(sandbox, args, { env })));
}

function succeeded(ends: readonly CodexEnd[]): number {
  return ends.filter(({ code }) => code === 0).length;
}

describe.each(CODEX_VERSIONS)('eight turns of a real Codex %s at once', (version) => {
  let binary = '';
  beforeAll(async () => {
    binary = await codexBinary(version);
  }, CODEX_INSTALL_TIMEOUT_MS);

  it('cost the login without the daemon: each of them sends the same refresh token (facts 2.3)', async () => {
    const stage = await setStage(binary);
    const { endpoint } = stage;
    const tokens = await logIn(stage, ABOUT_TO_EXPIRE);
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

  it('all succeed with the daemon on a token about to expire, and Codex sends no refresh token', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    const { access_token: old } = await logIn(stage, ABOUT_TO_EXPIRE);
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    await log.until(({ event, data }) => event === 'credential' && data.fingerprint !== fingerprintOf(old));
    const ends = await runTurns(stage);
    console.info(`${version} after the rotation: ${String(succeeded(ends))} of ${String(TURNS)} turns`);
    expect(succeeded(ends)).toBe(TURNS);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
    expect(endpoint.isAlive((await tokensInFile(stage)).refresh_token)).toBe(true);
  });

  it('all succeed through exec even before the daemon has rotated, and Codex sends no refresh token', async () => {
    const stage = await setStage(binary);
    const { endpoint, model, sandbox } = stage;
    await logIn(stage, ABOUT_TO_EXPIRE);
    await writeFile(join(sandbox.codexHome, 'config.toml'), QUIET_CONFIG);
    await writeFile(sandbox.configFile, `chatgpt_base_url = "${model.baseUrl}"\n`);
    const gate = endpoint.holdNext();
    await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    const ends = await runTurnsThroughExec(stage);
    console.info(`${version} through exec: ${String(succeeded(ends))} of ${String(TURNS)} turns`);
    expect(ends.map(({ code, stderr }) => (code === 0 ? '' : stderr)).join('')).toBe('');
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
    gate.open();
  });
});
