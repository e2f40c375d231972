import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { publish } from '../../src/index.js';
import { CODEX_INSTALL_TIMEOUT_MS, CODEX_VERSIONS, codexBinary } from '../support/codex-binary.js';
import { configureCodex, runTurn, startTurn, type CodexOptions } from '../support/codex-process.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { publishedFingerprint, refreshTokensIn } from '../support/published-home.js';
import {
  CODEX_REFRESHES_S,
  isCodex,
  logIn,
  NOBODY_REFRESHES_S,
  setStage,
  type StageSet,
} from './stage-set.js';

/** A home for Codex in which the daemon of another home publishes. */
interface PublishedHome extends StageSet {
  readonly daemon: DaemonProcess;
  readonly directory: string;
  /** For Codex with that home. */
  readonly consumer: CodexOptions;
  /** Tells one version of the file from every other, also one with the same text. */
  readonly version: () => Promise<string>;
}

async function publishTo(binary: string, lifetimeSeconds: number): Promise<PublishedHome> {
  const stage = await setStage(binary);
  await logIn(stage, { lifetimeSeconds });
  const { endpoint, model, sandbox } = stage;
  const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
  const other = await ownSandbox();
  await configureCodex(other, model.baseUrl);
  const directory = other.codexHome;
  await publish({ directory, socket: daemon.socket });
  const file = join(directory, 'auth.json');
  return {
    ...stage,
    daemon,
    directory,
    consumer: { ...stage.codex, sandbox: other },
    async version() {
      const { ino, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
      return [ino, mtimeNs, ctimeNs, await readFile(file, 'utf8')].join(' ');
    },
  };
}

describe.each(CODEX_VERSIONS)('a real Codex %s with a published home (facts 4.3)', (version) => {
  let binary = '';
  beforeAll(async () => {
    binary = await codexBinary(version);
  }, CODEX_INSTALL_TIMEOUT_MS);

  it('uses the token with its account, and leaves the file as it is', async () => {
    const home = await publishTo(binary, NOBODY_REFRESHES_S);
    const before = await home.version();
    const { code, stdout, stderr } = await runTurn(home.consumer);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(home.model.reply);
    const fingerprint = await publishedFingerprint(home.directory);
    const { account_id: accountId } = await home.daemon.account();
    expect(home.model.turns('answered')).toMatchObject([{ fingerprint, accountId }]);
    expect(home.model.turns('unauthorized')).toEqual([]);
    expect(await home.version()).toBe(before);
    expect(home.endpoint.requests).toEqual([]);
  });

  it('does not refresh a token that is about to expire, where it would in a home of its own', async () => {
    const home = await publishTo(binary, CODEX_REFRESHES_S);
    // What the daemon would do is not the question here.
    await home.daemon.stop('SIGKILL');
    const before = await home.version();
    expect((await runTurn(home.consumer)).code).toBe(0);
    expect(home.endpoint.requests).toEqual([]);
    expect(await home.version()).toBe(before);

    const own = await runTurn(home.codex);
    expect(own.code).toBe(0);
    expect(home.endpoint.requests.map(isCodex)).toEqual([true]);
  });

  it('reads the file again on a 401, and goes on in the same turn with the token that is there by then', async () => {
    const home = await publishTo(binary, NOBODY_REFRESHES_S);
    const { model, daemon, directory, endpoint } = home;
    const before = await publishedFingerprint(directory);
    model.refuseNext();
    const gate = model.holdNext();
    const turn = await startTurn(home.consumer);
    await gate.arrived;
    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(200);
    while ((await publishedFingerprint(directory)) === before);
    gate.open();

    const { code, stderr } = await turn.ended;
    expect(code, stderr).toBe(0);
    const after = await publishedFingerprint(directory);
    expect(model.turns('unauthorized').map(({ fingerprint }) => fingerprint)).toEqual([before]);
    expect(model.turns('answered').map(({ fingerprint }) => fingerprint)).toEqual([after]);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
    expect(await refreshTokensIn(directory)).toEqual([]);
  });

  it('fails on a 401 where there is no newer one, and sends nothing to the token endpoint for that', async () => {
    const home = await publishTo(binary, NOBODY_REFRESHES_S);
    const before = await home.version();
    home.model.refuseNext(10);
    expect((await runTurn(home.consumer)).code).not.toBe(0);
    expect(home.endpoint.requests).toEqual([]);
    expect(await home.version()).toBe(before);
  });

  it('has no login after a logout of the account, and one again after the next login', async () => {
    const home = await publishTo(binary, NOBODY_REFRESHES_S);
    const { directory, authFile, model, endpoint } = home;
    await rm(authFile);
    while ((await publishedFingerprint(directory)) !== null);
    expect((await runTurn(home.consumer)).code).not.toBe(0);
    expect(model.turns('answered')).toEqual([]);
    await logIn(home, { lifetimeSeconds: NOBODY_REFRESHES_S });
    while ((await publishedFingerprint(directory)) === null);
    expect((await runTurn(home.consumer)).code).toBe(0);
    expect(endpoint.requests).toEqual([]);
  });
});
