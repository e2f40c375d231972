import { expect, it, onTestFinished } from 'vitest';
import { keepAccount, type KeptAccount } from '../src/keep-account.js';
import { systemClock, type Clock } from '../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../src/os/file-system.js';
import type { Surroundings } from '../src/surroundings.js';
import { gate } from './keeper/world.js';
import { makeAccountScene } from './support/account-scene.js';

/** An account at work, on the real disk. It is not activated: nothing is sent. */
async function keeping(others: Partial<Surroundings>): Promise<KeptAccount> {
  const { config, settings, surroundings } = await makeAccountScene(others);
  const kept = await keepAccount(config, settings, surroundings);
  onTestFinished(async () => {
    await kept.finish();
    await kept.close();
  });
  return kept;
}

it('no tick is begun while the last one hangs on a file system that does not answer', async () => {
  const { open, opened } = gate();
  let [isHung, reads] = [false, 0];
  const fs: FileSystem = {
    ...systemFileSystem,
    async open(path, flags, mode) {
      if (isHung && path.endsWith('/auth.json')) {
        reads += 1;
        await opened;
      }
      return systemFileSystem.open(path, flags, mode);
    },
  };
  const kept = await keeping({ fs });
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
  const recheck = (): Promise<void> => {
    rechecks += 1;
    return new Promise(() => undefined);
  };
  const kept = await keeping({ watch: () => Promise.resolve({ recheck, close: () => Promise.resolve() }) });
  await kept.tick();
  await kept.tick();
  expect(rechecks).toBe(2);
});

it('an account that could not be kept has let go of its lock: the next attempt is not refused by the one before', async () => {
  const { config, settings, surroundings } = await makeAccountScene();
  const unwatched = { ...surroundings, watch: () => Promise.reject(new Error('EMFILE')) };
  await expect(keepAccount(config, settings, unwatched)).rejects.toThrow('EMFILE');
  const kept = await keepAccount(config, settings, surroundings);
  expect(kept.keeper.state.name).toBe('fresh');
  await kept.close();
});

it('a watch that cannot be ended keeps no lock', async () => {
  const { config, settings, surroundings } = await makeAccountScene();
  const close = (): Promise<void> => Promise.reject(new Error('EIO'));
  const watch = (): ReturnType<Surroundings['watch']> =>
    Promise.resolve({ recheck: () => Promise.resolve(), close });
  const kept = await keepAccount(config, settings, { ...surroundings, watch });
  await expect(kept.close()).rejects.toThrow('EIO');
  await (await keepAccount(config, settings, surroundings)).close();
});

it('a clock that is set while the lock is taken is not believed', async () => {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const open: FileSystem['open'] = (path, flags, mode) => {
    if (path.endsWith('.owner')) aheadMs = -5 * 3600 * 1000;
    return systemFileSystem.open(path, flags, mode);
  };
  const { keeper } = await keeping({ fs: { ...systemFileSystem, open }, clock });
  expect(keeper.now()).toBeGreaterThan(Date.now() - 60_000);
});
