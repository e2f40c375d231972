import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { withCodexLocks } from '../../src/auth-file/codex-locks.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { CODEX_INSTALL_TIMEOUT_MS, codexBinary } from '../support/codex-binary.js';
import { runTurn, startCodex, startTurn } from '../support/codex-process.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { makeDeferred } from '../support/deferred.js';
import { flocksOn, hasOpen, until } from '../support/linux-proc.js';
import { lockFile } from '../support/rivals/file-lock.js';
import { fingerprintOf } from '../support/tokens.js';
import {
  CODEX_REFRESHES_S,
  logIn,
  NOBODY_REFRESHES_S,
  setStage,
  tokensInFile,
  type StageSet,
} from './stage-set.js';

/*
 * What `strace -f -e trace=open,lstat,readlink,flock,fsync,rename` shows of a Codex 0.169 that saves new tokens, with
 * auth.json a link to ../mid/mid.json, and that a link to /x/link/login.json, where /x/link leads to another directory:
 *
 *   open("/x/.codex/auth.lock", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 10     flock(10, LOCK_EX) = 0
 *   lstat and readlink from /x/.codex/auth.json on, until /x/link/login.json is no link
 *   open("/x/link/login.json.lock", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 11  flock(11, LOCK_EX|LOCK_NB) = 0
 *   open("/x/.codex/auth.json", O_RDONLY)                                read again, and compared
 *   open("/x/link/.auth-Qwq0OS", O_RDWR|O_CREAT|O_EXCL, 0600) = 12        fsync(12)
 *   rename("/x/link/.auth-Qwq0OS", "/x/link/login.json")
 *
 * The second lock is beside the file at the end of all links; the directories on the way there are not resolved, which
 * leads to the same lock file. The tests below hold those locks one by one.
 */

let binary = '';
beforeAll(async () => {
  binary = await codexBinary('0.169.0');
}, CODEX_INSTALL_TIMEOUT_MS);

/** Where the real file and the locks are. */
interface Layout {
  readonly real: string;
  readonly locks: readonly [home: string, beside: string];
}

/** auth.json itself, or the first of two links to a file of another name elsewhere. */
async function layOut({ sandbox, authFile }: StageSet, kind: 'a file' | 'a link'): Promise<Layout> {
  const homeLock = join(sandbox.codexHome, 'auth.lock');
  if (kind === 'a file') return { real: authFile, locks: [homeLock, `${authFile}.lock`] };
  const elsewhere = join(sandbox.directory, 'elsewhere');
  await mkdir(elsewhere);
  const real = join(elsewhere, 'login.json');
  await writeFile(real, '', { mode: 0o600 });
  await symlink(real, join(sandbox.directory, 'middle.json'));
  await symlink('../middle.json', authFile);
  return { real, locks: [homeLock, `${real}.lock`] };
}

describe.each(['a file', 'a link'] as const)('where auth.json is %s, a real Codex 0.169', (kind) => {
  it('waits for the locks that we hold, and saves its tokens when we let go', async () => {
    const stage = await setStage(binary);
    const { endpoint, authFile, codex } = stage;
    const { real, locks } = await layOut(stage, kind);
    const before = await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    const leave = makeDeferred<undefined>();
    onTestFinished(() => {
      leave.resolve(undefined);
    });
    const entered = makeDeferred<undefined>();
    const held = withCodexLocks(systemFileSystem, authFile, real, systemClock, () => {
      entered.resolve(undefined);
      return leave.promise;
    });
    await entered.promise;
    const turn = await startTurn(codex);
    await until(async () => (await flocksOn(locks[0])).waiters.includes(turn.process.pid ?? 0));
    expect(endpoint.requests).toMatchObject([{ outcome: 'rotated' }]);
    expect(await tokensInFile(stage)).toEqual(before);
    leave.resolve(undefined);
    await held;
    expect(await turn.ended).toMatchObject({ code: 0 });
    const after = await tokensInFile(stage);
    expect(after).not.toEqual(before);
    expect(endpoint.isAlive(after.refresh_token)).toBe(true);
  });

  it('waits for the second lock with the first one in its hand, and saves when it is free', async () => {
    const stage = await setStage(binary);
    const { endpoint, codex } = stage;
    const { locks } = await layOut(stage, kind);
    const before = await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    const second = await lockFile(locks[1]);
    const turn = await startTurn(codex);
    const hasFirst = async (): Promise<boolean> =>
      (await flocksOn(locks[0])).holders.includes(turn.process.pid ?? 0);
    await until(hasFirst);
    // Of one who does not wait it would have gone in a millisecond.
    for (let look = 0; look < 200; look += 1) expect(await hasFirst()).toBe(true);
    expect(await tokensInFile(stage)).toEqual(before);
    await second.release();
    expect(await turn.ended).toMatchObject({ code: 0 });
    expect(endpoint.isAlive((await tokensInFile(stage)).refresh_token)).toBe(true);
  });

  it('and the daemon leave the same lock files behind, and nothing else', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox, codex } = stage;
    const { locks } = await layOut(stage, kind);
    const lockFiles = async (): Promise<string[]> => {
      const names = await readdir(sandbox.directory, { recursive: true, withFileTypes: true });
      const found = names.filter(({ name }) => /(auth|login)(\.json)?\.lock$|^\.auth/.test(name));
      return found
        .map((each) => `${join(each.parentPath, each.name)} ${each.isFile() ? 'file' : 'no file'}`)
        .sort();
    };
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200 });
    expect(await lockFiles()).toEqual(locks.map((lock) => `${lock} file`).sort());
    await daemon.stop();
    await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    expect(await runTurn(codex)).toMatchObject({ code: 0 });
    expect(await lockFiles()).toEqual(locks.map((lock) => `${lock} file`).sort());
  });
});

it('with a directory in the place of its second lock, which the daemon never makes, Codex 0.169 loses its login', async () => {
  const stage = await setStage(binary);
  const { endpoint, authFile, codex } = stage;
  const before = await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
  await mkdir(`${authFile}.lock`);
  const turn = await startTurn(codex);
  await endpoint.request(1);
  const end = await turn.ended;
  console.info({ code: end.code, requests: endpoint.requests.length });
  expect(await tokensInFile(stage)).toEqual(before);
  expect(endpoint.isAlive(before.refresh_token)).toBe(false);
});

describe('while a Codex holds its locks, the daemon', () => {
  it.each(['auth.lock', 'auth.json.lock'])('waits for %s, and commits when it is free', async (name) => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    const before = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    const path = join(sandbox.codexHome, name);
    const lock = await lockFile(path);
    gate.open();
    await until(() => hasOpen(daemon.cli.process.pid, path));
    expect(await tokensInFile(stage)).toEqual(before);
    await lock.release();
    const { json } = await refreshed;
    const after = await tokensInFile(stage);
    expect(after.access_token).toBe(json['access_token']);
    expect(endpoint.isAlive(after.refresh_token)).toBe(true);
  });

  it('gives up waiting after a while, serves the new token from its journal, and commits later', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    const before = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    const lock = await lockFile(join(sandbox.codexHome, 'auth.lock'));
    gate.open();
    const degraded = await log.untilState('degraded');
    expect(degraded.data).toMatchObject({ reason: 'not_stored' });
    await refreshed;
    const { json } = await daemon.ask('/v1/credential');
    expect(json['fingerprint']).not.toBe(fingerprintOf(before.access_token));
    expect(await tokensInFile(stage)).toEqual(before);
    await lock.release();
    await log.until(
      (each) =>
        each.event === 'state' &&
        each.data.state === 'fresh' &&
        log.events.indexOf(each) > log.events.indexOf(degraded),
    );
    const after = await tokensInFile(stage);
    expect(after.access_token).toBe(json['access_token']);
    expect(endpoint.isAlive(after.refresh_token)).toBe(true);
    expect(endpoint.requests).toHaveLength(1);
  });

  it('lets a real `codex logout` finish first, and then there is nothing to commit', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox, codex } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    const [first, second] = [join(sandbox.codexHome, 'auth.lock'), join(sandbox.codexHome, 'auth.json.lock')];
    const lock = await lockFile(second);
    const logout = await startCodex(['logout'], codex);
    await until(async () => (await flocksOn(first)).holders.includes(logout.process.pid ?? 0));
    gate.open();
    await until(() => hasOpen(daemon.cli.process.pid, first));
    await lock.release();
    expect(await logout.ended).toMatchObject({ code: 0 });
    expect(await refreshed).toMatchObject({ status: 503, json: { code: 'logged_out' } });
    expect(await readdir(sandbox.codexHome)).not.toContain('auth.json');
  });
});

describe('the locks of Codex', () => {
  it('are held by the daemon for milliseconds only', async () => {
    const stage = await setStage(binary);
    const { endpoint, sandbox } = stage;
    await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    await writeFile(sandbox.configFile, 'demand_interval_seconds = 0\n');
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const path = join(sandbox.codexHome, 'auth.lock');
    let longestMs = 0;
    let sinceMs: number | null = null;
    const looking = new AbortController();
    const looked = (async () => {
      while (!looking.signal.aborted) {
        const { holders } = await flocksOn(path);
        const nowMs = performance.now();
        if (holders.length === 0) sinceMs = null;
        else longestMs = Math.max(longestMs, nowMs - (sinceMs ??= nowMs));
      }
    })();
    for (let round = 0; round < 10; round += 1) {
      expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200 });
    }
    looking.abort();
    await looked;
    console.info(`auth.lock was held for ${longestMs.toFixed(1)} ms at most`);
    expect(longestMs).toBeLessThan(500);
  });

  it('may be taken again and again by others: a real Codex 0.169 saves its tokens all the same', async () => {
    const stage = await setStage(binary);
    const { endpoint, authFile, codex } = stage;
    await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
    const done = new AbortController();
    let taken = 0;
    const storm = (async () => {
      while (!done.signal.aborted) {
        await withCodexLocks(systemFileSystem, authFile, authFile, systemClock, () => readFile(authFile));
        taken += 1;
      }
    })();
    for (let round = 1; round <= 3; round += 1) {
      await logIn(stage, { lifetimeSeconds: CODEX_REFRESHES_S });
      expect(await runTurn(codex)).toMatchObject({ code: 0 });
      expect(endpoint.requests).toHaveLength(round);
      expect(endpoint.isAlive((await tokensInFile(stage)).refresh_token)).toBe(true);
    }
    done.abort();
    await storm;
    console.info(`the locks were taken ${String(taken)} times meanwhile`);
    expect(taken).toBeGreaterThan(100);
  });
});
