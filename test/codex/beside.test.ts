import { access, lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CODEX_INSTALL_TIMEOUT_MS, CODEX_VERSIONS, codexBinary } from '../support/codex-binary.js';
import { runTurn, startCodex, startTurn } from '../support/codex-process.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { fingerprintOf } from '../support/tokens.js';
import {
  CODEX_REFRESHES_S,
  isCodex,
  logIn,
  NOBODY_REFRESHES_S,
  setStage,
  tokensInFile,
  type StageSet,
} from './stage-set.js';

describe.each(CODEX_VERSIONS)('beside a real Codex %s', (version) => {
  let binary = '';
  beforeAll(async () => {
    binary = await codexBinary(version);
  }, CODEX_INSTALL_TIMEOUT_MS);

  it('the idle daemon adopts what Codex commits, without a request, and each token is sent once', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    for (let round = 1; round <= 3; round += 1) {
      await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
      expect(await runTurn(stage.codex)).toMatchObject({ code: 0 });
      const tokens = await tokensInFile(stage);
      await log.until(({ data }) => data.fingerprint === fingerprintOf(tokens.access_token));
      expect(endpoint.isAlive(tokens.refresh_token)).toBe(true);
    }
    expect(endpoint.requests.map(isCodex)).toEqual([true, true, true]);
    expect(endpoint.sentTwice()).toEqual([]);
    await expectNoLockDirectories(stage);
  });

  it('a rotation does not disturb a turn: the old token serves before it, the new one after it', async () => {
    const stage = await setStage(binary);
    const { endpoint, model, sandbox } = stage;
    const before = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({
      sandbox,
      tokenEndpoint: endpoint.url,
    });
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    expect(await runTurn(stage.codex)).toMatchObject({ code: 0 });
    const held = model.holdNext();
    const turn = await startTurn(stage.codex);
    await held.arrived;
    gate.open();
    expect(await refreshed).toMatchObject({ status: 200 });
    held.open();
    expect(await turn.ended).toMatchObject({ code: 0 });
    const after = await tokensInFile(stage);
    expect(await runTurn(stage.codex)).toMatchObject({ code: 0 });
    expect(model.turns('answered').map(({ fingerprint }) => fingerprint)).toEqual(
      [before, before, after].map(({ access_token }) => fingerprintOf(access_token)),
    );
    expect(endpoint.isAlive(after.refresh_token)).toBe(true);
    expect(endpoint.requests.filter(isCodex)).toEqual([]);
    await expectNoLockDirectories(stage);
  });

  it('a daemon that rotates again and again disturbs no turn, and leaves the rotating to nobody else', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    await writeFile(sandbox.configFile, 'demand_interval_seconds = 0\n');
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const working = new AbortController();
    const rotating = (async () => {
      while (!working.signal.aborted) {
        expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200 });
        await expectNoLockDirectories(stage);
      }
    })();
    const turns = await Promise.all([startTurn(stage.codex), startTurn(stage.codex)]);
    for (const turn of turns) expect(await turn.ended).toMatchObject({ code: 0 });
    expect(await runTurn(stage.codex)).toMatchObject({ code: 0 });
    working.abort();
    await rotating;
    console.info(`${version}: 3 turns, ${String(endpoint.requests.length)} rotations meanwhile`);
    expect(endpoint.requests.length).toBeGreaterThan(10);
    expect(endpoint.requests.filter(isCodex)).toEqual([]);
    expect(endpoint.sentTwice()).toEqual([]);
    expect(endpoint.isAlive((await tokensInFile(stage)).refresh_token)).toBe(true);
  });

  it('a Codex whose token the server has ended finds the next one in the file, and spends nothing', async () => {
    const stage = await setStage(binary);
    const { endpoint, model, sandbox } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    model.refuseNext();
    const held = model.holdNext();
    const turn = await startTurn(stage.codex);
    await held.arrived;
    expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200 });
    held.open();
    expect(await turn.ended).toMatchObject({ code: 0 });
    expect(endpoint.requests.filter(isCodex)).toEqual([]);
    expect(model.turns('answered')).toHaveLength(1);
  });

  it('Codex commits the tokens of another login while the daemon waits for its own: they stay', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S, accountId: 'acct-other' });
    expect(await runTurn(stage.codex)).toMatchObject({ code: 0 });
    const theirs = await tokensInFile(stage);
    gate.open();
    await refreshed;
    await log.until(({ data }) => data.fingerprint === fingerprintOf(theirs.access_token));
    expect(await daemon.ask('/v1/credential')).toMatchObject({
      status: 200,
      json: { access_token: theirs.access_token, account_id: 'acct-other' },
    });
    expect(await tokensInFile(stage)).toEqual(theirs);
    expect(endpoint.isAlive(theirs.refresh_token)).toBe(true);
    expect(endpoint.requests.map(isCodex)).toEqual([false, true]);
    expect(endpoint.sentTwice()).toEqual([]);
    await expectNoLockDirectories(stage);
  });

  it('`codex logout` while the daemon waits for its answer stays a logout', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox, authFile } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    expect(await (await startCodex(['logout'], stage.codex)).ended).toMatchObject({ code: 0 });
    // Codex tells the server as well: the pair that is on its way to the daemon is worth nothing any more.
    expect(endpoint.requests.map(({ outcome }) => outcome)).toEqual(['rotated', 'revoked']);
    gate.open();
    expect(await refreshed).toMatchObject({ status: 503, json: { code: 'logged_out' } });
    await log.untilState('logged_out');
    await daemon.stop();
    await expect(access(authFile)).rejects.toMatchObject({ code: 'ENOENT' });
    await expectNoLockDirectories(stage);
  });

  it('`codex login --with-api-key` while the daemon waits for its answer stays in the file', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox, authFile } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    const login = await startCodex(['login', '--with-api-key'], { ...stage.codex, input: 'sk-test\n' });
    expect(await login.ended).toMatchObject({ code: 0 });
    const text = await readFile(authFile, 'utf8');
    gate.open();
    await refreshed;
    await log.until(({ event, data }) => event === 'credential' && data.access_token === 'sk-test');
    await daemon.stop();
    expect(await readFile(authFile, 'utf8')).toBe(text);
    await expectNoLockDirectories(stage);
  });
});

/** A directory in one of these places costs a Codex 0.169 its login (facts 3.1). */
async function expectNoLockDirectories({ sandbox }: StageSet): Promise<void> {
  for (const name of ['auth.json.lock', 'auth.lock']) {
    const path = join(sandbox.codexHome, name);
    const found = await lstat(path).catch(() => null);
    expect(found === null || found.isFile(), `${path} is no directory`).toBe(true);
  }
}
