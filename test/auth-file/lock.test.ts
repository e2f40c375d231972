import { mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AccountLock } from '../../src/auth-file/lock.js';
import { sharedLocks, type SharedLocks } from '../../src/auth-file/shared-lock.js';
import { systemClock, type Clock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { identifyMachine } from '../../src/os/machine.js';
import { scratchDir } from '../support/scratch-dir.js';
import { recordingFileSystem } from './recording-fs.js';
import { ELSEWHERE, leaveBehind, lockOf, REAL, takeElsewhere } from './lock-scene.js';

it('is confirmed by a look at the file system: somebody else may have taken it a moment ago', async () => {
  const path = join(await scratchDir(), 'auth.json');
  const lock = lockOf(path);
  expect(await lock.confirm()).toBe(false);
  await lock.ensure();
  expect(await lock.confirm()).toBe(true);
  await takeElsewhere(path);
  expect(lock.held).toBe(true);
  expect(await lock.confirm()).toBe(false);
  expect(lock.held).toBe(false);
});

it('is not confirmed where the link leads elsewhere by now, until that is locked as well', async () => {
  const home = await scratchDir();
  const path = join(home, 'auth.json');
  await symlink(join(home, 'work.json'), path);
  const lock = lockOf(path);
  await lock.ensure();
  expect(await lock.confirm()).toBe(true);
  await rm(path);
  await symlink(join(home, 'home.json'), path);
  expect(await lock.confirm()).toBe(false);
  expect(await lock.ensure()).toBe('taken');
  expect(await lock.confirm()).toBe(true);
  expect(await readdir(home)).toContain('home.json.codex-authd.owner');
});

describe('the lock of an account', () => {
  it('lies beside auth.json, under none of the names that Codex locks, and goes when it is released', async () => {
    const home = await scratchDir();
    const lock = lockOf(join(home, 'auth.json'));
    await lock.ensure();
    expect(lock.held).toBe(true);
    expect((await readdir(home)).sort()).toEqual([
      'auth.json.codex-authd.lock',
      'auth.json.codex-authd.owner',
    ]);
    await lock.release();
    expect(lock.held).toBe(false);
    expect(await readdir(home)).toEqual([]);
  });

  it('is refused to a second daemon at once, which is told who has it', async () => {
    const home = await scratchDir();
    await lockOf(join(home, 'auth.json'), '/its/authd.sock').ensure();
    const second = lockOf(join(home, 'auth.json'));
    const failure = await second.ensure().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'already_running' });
    expect(String(failure)).toContain(`pid ${String(process.pid)} on ${hostname()}`);
    expect(String(failure)).toContain('/its/authd.sock');
    expect(failure).toMatchObject({
      hint: `use its socket, or stop it with \`kill ${String(process.pid)}\``,
    });
    expect(second.held).toBe(false);
  });

  it('is one for a file and a symbolic link to it', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    await writeFile(join(home, 'auth.json'), '{}');
    await symlink(join(home, 'auth.json'), join(other, 'auth.json'));
    await lockOf(join(home, 'auth.json')).ensure();
    await expect(lockOf(join(other, 'auth.json')).ensure()).rejects.toMatchObject({
      code: 'already_running',
    });
  });

  it('is one before and after a link has become a file', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    await writeFile(join(home, 'auth.json'), '{}');
    const path = join(other, 'auth.json');
    await symlink(join(home, 'auth.json'), path);
    const first = lockOf(path);
    await first.ensure();
    await rm(path);
    await writeFile(path, '{}');
    await expect(lockOf(path).ensure()).rejects.toMatchObject({ code: 'already_running' });
    expect(await first.ensure()).toBe('taken');
    await lockOf(join(home, 'auth.json')).ensure();
  });

  it("is not held before all of it is: of a link that has been locked the file may be another daemon's", async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    const [file, link] = [join(home, 'auth.json'), join(other, 'auth.json')];
    await writeFile(file, '{}');
    await symlink(file, link);
    const seen: [string, boolean][] = [];
    const fs: FileSystem = {
      ...systemFileSystem,
      open: (path, flags, mode) => {
        seen.push([path, lock.held]);
        return systemFileSystem.open(path, flags, mode);
      },
    };
    const lock = new AccountLock({ ...REAL, path: link, fs });
    onTestFinished(() => lock.release());
    await lock.ensure();
    expect(seen.some(([path]) => path.startsWith(file))).toBe(true);
    expect(seen.filter(([, isHeld]) => isHeld)).toEqual([]);
    expect(lock.held).toBe(true);
  });

  it('stays held where it cannot be found out for a moment whether it lies there still', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    await writeFile(join(home, 'auth.json'), '{}');
    const path = join(other, 'auth.json');
    await symlink(join(home, 'auth.json'), path);
    const failures = ['EIO', 'EACCES'];
    let isFailing = false;
    const fs: FileSystem = {
      ...systemFileSystem,
      realpath: (at) => {
        const code = isFailing && at === path ? failures.shift() : undefined;
        if (code === undefined) return systemFileSystem.realpath(at);
        return Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }));
      },
    };
    const lock = new AccountLock({ ...REAL, path, fs });
    onTestFinished(() => lock.release());
    await lock.ensure();
    isFailing = true;
    for (const code of ['EIO', 'EACCES']) {
      await expect(lock.ensure()).rejects.toMatchObject({
        code: 'storage',
        message: expect.stringContaining(code) as unknown,
      });
      expect(lock.held).toBe(true);
      await expect(lockOf(join(home, 'auth.json')).ensure()).rejects.toMatchObject({
        code: 'already_running',
      });
    }
    expect(await lock.ensure()).toBe('held');
    expect(lock.refusal).toBeNull();
  });

  it('lets go of a link also where the lock of the real file fails to be let go of', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    await writeFile(join(home, 'auth.json'), '{}');
    const path = join(other, 'auth.json');
    await symlink(join(home, 'auth.json'), path);
    const failing: SharedLocks = {
      ...sharedLocks,
      take: async (at, onLost) => {
        const taken = await sharedLocks.take(at, onLost);
        if (taken === null || !at.startsWith(home)) return taken;
        const release = async (): Promise<void> => {
          await taken.release();
          throw new Error('EIO: it failed');
        };
        return { confirm: () => taken.confirm(), isCompromised: false, release };
      },
    };
    const lock = new AccountLock({ ...REAL, path, sharedLocks: failing });
    await lock.ensure();
    await expect(lock.release()).rejects.toThrow('EIO');
    await lockOf(path).ensure();
  });

  it('is one where the directory has two names', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    await writeFile(join(home, 'auth.json'), '{}');
    await symlink(home, join(other, 'home'));
    const lock = lockOf(join(other, 'home', 'auth.json'));
    await lock.ensure();
    expect(await lock.ensure()).toBe('held');
    await expect(lockOf(join(home, 'auth.json')).ensure()).rejects.toMatchObject({ code: 'already_running' });
  });

  it('is had by exactly one of many that want it, and by the next when that one lets go', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const locks = Array.from({ length: 8 }, () => lockOf(path));
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.allSettled(locks.map((lock) => lock.ensure()));
      const winners = locks.filter((lock) => lock.held);
      expect(winners).toHaveLength(1);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await winners[0]?.release();
    }
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('is taken over at once from a daemon of this machine that was killed', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await leaveBehind(path, identifyMachine());
    const lock = lockOf(path, '/nowhere.sock', { ...systemClock, after: neverNeeded });
    await lock.ensure();
    expect(lock.held).toBe(true);
  });

  it('is taken over from a daemon of another machine once it is stale, and no sooner', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await leaveBehind(path, 'another machine');
    let waits = 0;
    const lock = lockOf(path, '/nowhere.sock', {
      ...systemClock,
      after: (_delayMs, wake) => {
        waits += 1;
        void utimes(`${path}.codex-authd.lock`, 1, 1).then(wake);
        return () => undefined;
      },
    });
    await lock.ensure();
    expect([lock.held, waits]).toEqual([true, 1]);
  });

  it('is taken by everyone who asks at once, once, and by nobody from himself', async () => {
    const lock = lockOf(join(await scratchDir(), 'auth.json'));
    await Promise.all([lock.ensure(), lock.ensure(), lock.ensure()]);
    expect(lock.held).toBe(true);
  });

  it('is not taken from a living daemon that has another kind of kernel lock', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await lockOf(path).ensure();
    const withoutFlock: FileSystem = {
      ...systemFileSystem,
      open: async (...args) => ({
        ...(await systemFileSystem.open(...args)),
        tryLock: () => Promise.resolve(null),
      }),
    };
    let nowMs = 0;
    const impatient: Clock = {
      now: () => 0,
      monotonicMs: () => nowMs,
      after: (delayMs, wake) => {
        nowMs += delayMs;
        setImmediate(wake);
        return () => undefined;
      },
    };
    const other = new AccountLock({ ...REAL, path, fs: withoutFlock, clock: impatient });
    await expect(other.ensure()).rejects.toMatchObject({ code: 'already_running' });
  });

  it('is given up after 12 s when another machine goes on renewing it', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await leaveBehind(path, 'another machine');
    let nowMs = 0;
    const impatient: Clock = {
      now: () => 0,
      monotonicMs: () => nowMs,
      after: (delayMs, wake) => {
        nowMs += delayMs;
        setImmediate(wake);
        return () => undefined;
      },
    };
    await expect(lockOf(path, '/nowhere.sock', impatient).ensure()).rejects.toMatchObject({
      code: 'already_running',
      hint: 'stop it on elsewhere first',
    });
    expect(nowMs).toBe(12_000);
  });

  it('cannot be taken in a directory that is not there, and can once it is', async () => {
    const home = join(await scratchDir(), 'later');
    const lock = lockOf(join(home, 'auth.json'));
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'storage' });
    await mkdir(home);
    await lock.ensure();
    expect(lock.held).toBe(true);
  });

  it('has told for good where its journals are when it is held: a successor after a loss of power looks there', async () => {
    const home = await scratchDir();
    const { fs, steps } = recordingFileSystem();
    const lock = new AccountLock({ ...REAL, path: join(home, 'auth.json'), fs });
    onTestFinished(() => lock.release());
    await lock.ensure();
    expect(steps).toEqual([`sync ${join(home, 'auth.json.codex-authd.owner')}`, `sync ${home}`]);
  });

  it('is let go of whole if its owner cannot be written down, so that it can be had once he can', async () => {
    const path = join(await scratchDir(), 'auth.json');
    let failure: Error | null = new Error('EIO: planted');
    const failing: FileSystem = {
      ...systemFileSystem,
      open: async (...args) => {
        const file = await systemFileSystem.open(...args);
        return {
          ...file,
          sync: () => (failure === null ? file.sync() : Promise.reject(failure)),
        };
      },
    };
    const lock = new AccountLock({ ...REAL, path, fs: failing });
    onTestFinished(() => lock.release());
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'storage' });
    failure = null;
    expect(await lock.ensure()).toBe('taken');
    expect(await lock.ensure()).toBe('held');
  });

  it('says that it was lost when somebody takes it away', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lost = await new Promise<Error>((resolve) => {
      const onLost = (error: Error): void => {
        expect(lock.held).toBe(false);
        resolve(error);
      };
      const lock = new AccountLock({ ...REAL, path, onLost });
      void lock.ensure().then(() => rm(`${path}.codex-authd.lock`, { recursive: true }));
    });
    expect(lost).toMatchObject({ code: 'ECOMPROMISED' });
  });
});

describe('a lock that is lost before anybody has noticed', () => {
  it('is not released: what lies there by now is its successor’s', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    await takeElsewhere(path);
    expect(lock.held).toBe(true);
    await lock.release();
    expect(lock.held).toBe(false);
    expect((await readdir(join(path, '..'))).sort()).toEqual([
      'auth.json.codex-authd.lock',
      'auth.json.codex-authd.owner',
    ]);
    expect(JSON.parse(await readFile(`${path}.codex-authd.owner`, 'utf8'))).toEqual(ELSEWHERE);
  });

  it('nor where the machine has slept since, and its successor may be about to come', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    const afterSleep = Date.now() + 10_000;
    vi.spyOn(Date, 'now').mockImplementation(() => afterSleep);
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    await lock.release();
    expect(await readdir(join(path, '..'))).toContain('auth.json.codex-authd.lock');
  });

  it('is not held where the machine has slept since: nothing is written before somebody has looked', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    const before = lock.tenure;
    const afterSleep = Date.now() + 10_000;
    vi.spyOn(Date, 'now').mockImplementation(() => afterSleep);
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    expect(lock.held).toBe(false);
    expect(await lock.ensure()).toBe('taken');
    expect(lock.held).toBe(true);
    expect(lock.tenure).not.toBe(before);
  });

  it('leaves the word of another one alone, also where the lock itself looks like ours', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    await writeFile(`${path}.codex-authd.owner`, JSON.stringify(ELSEWHERE));
    await lock.release();
    expect(await readdir(join(path, '..'))).toEqual(['auth.json.codex-authd.owner']);
  });
});

function neverNeeded(): never {
  throw new Error('it waits');
}
