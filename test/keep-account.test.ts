import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { sharedLocks } from '../src/auth-file/shared-lock.js';
import { CODEX_BASE_URLS } from '../src/core/base-urls.js';
import { DEFAULT_POLICY } from '../src/core/plan.js';
import { keepAccount, type KeptAccount } from '../src/keep-account.js';
import { ClaimedDirectories } from '../src/keeper/claimed-directories.js';
import { Holdings } from '../src/keeper/holdings.js';
import { Pace } from '../src/keeper/pace.js';
import { systemClock, type Clock } from '../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../src/os/file-system.js';
import type { Surroundings } from '../src/surroundings.js';
import { gate, loginText, World } from './keeper/world.js';
import { scratchDir } from './support/scratch-dir.js';
import { makeJwt } from './support/tokens.js';

/** An account at work, its auth.json read through this file system. It is not activated: nothing is sent. */
async function keeping(
  fs: FileSystem,
  recheck: () => Promise<void> = () => Promise.resolve(),
  watchFailures: Error[] = [],
  clock: Clock = systemClock,
): Promise<KeptAccount> {
  const directory = await scratchDir();
  const codexHome = join(directory, 'home');
  await mkdir(codexHome);
  const now = Math.floor(Date.now() / 1000);
  const login = loginText(makeJwt({ iat: now, exp: now + 86_400 }), 'refresh-1', now * 1000);
  await writeFile(join(codexHome, 'auth.json'), login);
  const surroundings: Surroundings = {
    fs,
    clock,
    random: Math.random,
    machine: 'this one',
    sharedLocks,
    directories: new ClaimedDirectories(),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    pace: new Pace(0),
    holdings: new Holdings(),
    watch: () => {
      const failure = watchFailures.shift();
      return failure === undefined
        ? Promise.resolve({ recheck, close: () => Promise.resolve() })
        : Promise.reject(failure);
    },
    openEndpoint: () => new World().server,
  };
  const config = {
    name: 'default',
    codexHome,
    tokenEndpoint: 'https://auth.example.com/oauth/token',
    clientId: 'client',
    bodyFormat: 'json',
    scope: null,
    baseUrls: CODEX_BASE_URLS,
    policy: DEFAULT_POLICY,
    publishIn: [],
  } as const;
  const stateDirectory = join(directory, 'state');
  const settings = { socketPath: '/nowhere.sock', stateDirectory, accounts: [config] };
  const keep = (): Promise<KeptAccount> => keepAccount(config, settings, surroundings);
  while (watchFailures.length > 0) await expect(keep()).rejects.toThrow();
  const kept = await keep();
  onTestFinished(async () => {
    await kept.finish();
    await kept.close();
  });
  return kept;
}

it('no tick is begun while the last one hangs on a file system that does not answer', async () => {
  const { open, opened } = gate();
  let [isHung, reads] = [false, 0];
  const kept = await keeping({
    ...systemFileSystem,
    async open(path, flags, mode) {
      if (isHung && path.endsWith('/auth.json')) {
        reads += 1;
        await opened;
      }
      return systemFileSystem.open(path, flags, mode);
    },
  });
  isHung = true;
  const ticks = Array.from({ length: 20 }, () => kept.tick());
  while (reads === 0) await new Promise(setImmediate);
  isHung = false;
  open();
  await Promise.all(ticks);
  expect(reads).toBe(1);

  isHung = true;
  await kept.tick();
  expect(reads).toBe(2);
});

it('a watch that hangs keeps nobody from looking at the file', async () => {
  let rechecks = 0;
  const kept = await keeping(systemFileSystem, () => {
    rechecks += 1;
    return new Promise(() => undefined);
  });
  await kept.tick();
  await kept.tick();
  expect(rechecks).toBe(2);
});

it('an account that could not be kept has let go of its lock: the next attempt is not refused by the one before', async () => {
  const kept = keeping(systemFileSystem, undefined, [new Error('EMFILE')]);
  await expect(kept).resolves.toMatchObject({ keeper: { account: 'default' } });
});

it('a clock that is set while the lock is taken is not believed', async () => {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const open: FileSystem['open'] = (path, flags, mode) => {
    if (path.endsWith('.owner')) aheadMs = -5 * 3600 * 1000;
    return systemFileSystem.open(path, flags, mode);
  };
  const { keeper } = await keeping({ ...systemFileSystem, open }, undefined, [], clock);
  expect(keeper.now()).toBeGreaterThan(Date.now() - 60_000);
});
