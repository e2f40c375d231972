import { constants } from 'node:fs';
import { copyFile, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AccountLock } from '../../src/auth-file/lock.js';
import { readWord } from '../../src/auth-file/lock-owner.js';
import { sharedLocks, type SharedLocks } from '../../src/auth-file/shared-lock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { identifyMachine } from '../../src/os/machine.js';
import { scratchDir } from '../support/scratch-dir.js';
import { ELSEWHERE, leaveBehind, lockOf, lockWith, REAL, takeElsewhere } from './lock-scene.js';

describe('the word of the lock', () => {
  it('stays where the lock is lost, until it is had again and let go of with nothing left to tell', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    const [file, link] = [join(home, 'auth.json'), join(other, 'auth.json')];
    await writeFile(file, '{}');
    await symlink(file, link);
    let isLost = false;
    let isRefused = false;
    const losing: SharedLocks = {
      ...sharedLocks,
      take: async (at, onLost) => {
        if (isRefused && at.startsWith(home))
          throw Object.assign(new Error('EIO: it failed'), { code: 'EIO' });
        const taken = await sharedLocks.take(at, onLost);
        if (taken === null) return null;
        return {
          get isCompromised() {
            return isLost;
          },
          confirm: () => taken.confirm(),
          release: () => taken.release(),
        };
      },
    };
    const lock = new AccountLock({ ...REAL, path: link, sharedLocks: losing });
    await lock.ensure();
    isLost = true;
    isRefused = true;
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'storage' });
    expect(lock.held).toBe(false);
    for (const each of [file, link]) {
      const word: unknown = JSON.parse(await readFile(`${each}.codex-authd.owner`, 'utf8'));
      expect(word).toMatchObject({ states: ['/state'] });
    }
    isLost = false;
    isRefused = false;
    expect(await lock.ensure()).toBe('taken');
    await lock.release();
    expect([await readdir(home), await readdir(other)]).toEqual([['auth.json'], ['auth.json']]);
  });

  it('goes from where auth.json no longer is: nobody looks there for our journals', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    const path = join(other, 'auth.json');
    await symlink(join(home, 'auth.json'), path);
    const lock = lockOf(path);
    await lock.ensure();
    expect(await readdir(home)).toContain('auth.json.codex-authd.owner');
    await rm(path);
    await writeFile(path, '{}');
    expect(await lock.ensure()).toBe('taken');
    expect(await readdir(home)).toEqual([]);
  });
});

describe('the word of the lock, written over by one that stood still since it lost the lock', () => {
  const overwrite = (path: string): Promise<void> =>
    writeFile(`${path}.codex-authd.owner`, JSON.stringify({ ...ELSEWHERE, states: ['/its/state'] }));

  it('makes the lock lost until it is taken anew, and that one’s journals are known of then', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lost: string[] = [];
    const lock = new AccountLock({ ...REAL, path, onLost: (error) => lost.push(error.message) });
    onTestFinished(() => lock.release());
    await lock.ensure();
    expect(await lock.confirm()).toBe(true);
    const word = await readFile(`${path}.codex-authd.owner`, 'utf8');
    await overwrite(path);
    expect(await lock.confirm()).toBe(false);
    expect(lock.held).toBe(false);
    // Also where it is back by itself: somebody may have had the lock in between.
    await writeFile(`${path}.codex-authd.owner`, word);
    expect(await lock.confirm()).toBe(false);
    await overwrite(path);
    expect(await lock.confirm()).toBe(false);
    expect(lost).toEqual([expect.stringContaining('auth.json.codex-authd.owner')]);
    expect(await lock.ensure()).toBe('taken');
    expect(await lock.confirm()).toBe(true);
    expect(lock.otherStates).toEqual(['/its/state']);
    expect(await readWord(systemFileSystem, `${path}.codex-authd.owner`)).toMatchObject({
      owner: { pid: process.pid },
      states: ['/state', '/its/state'],
    });
  });

  it('is put down again where the lock is let go of, and a journal is left', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    await overwrite(path);
    await lock.release(true);
    const next = new AccountLock({ ...REAL, path, stateDirectory: '/next' });
    onTestFinished(() => next.release());
    await next.ensure();
    expect(next.otherStates).toContain('/state');
  });

  it('is left as it is by one that has lost the lock meanwhile', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    await takeElsewhere(path);
    expect(await lock.confirm()).toBe(false);
    await lock.release(true);
    expect(JSON.parse(await readFile(`${path}.codex-authd.owner`, 'utf8'))).toEqual(ELSEWHERE);
    expect(await readdir(join(path, '..'))).toContain('auth.json.codex-authd.lock');
  });

  it('is nobody’s where the lock was lost at the very moment of putting it down again', async () => {
    const path = join(await scratchDir(), 'auth.json');
    let isToBeLost = false;
    const lock = lockWith(path, {
      async take(at, onLost) {
        const taken = await sharedLocks.take(at, onLost);
        if (taken === null) return null;
        const confirm = async (): Promise<boolean> => {
          const isOurs = await taken.confirm();
          if (isToBeLost) await takeElsewhere(path);
          isToBeLost = false;
          return isOurs;
        };
        return { isCompromised: false, confirm, release: () => taken.release() };
      },
    });
    await lock.ensure();
    await overwrite(path);
    isToBeLost = true;
    await lock.release(true);
    expect(await readWord(systemFileSystem, `${path}.codex-authd.owner`)).toEqual({
      owner: null,
      states: ['/state', '/its/state'],
    });
    expect(await readdir(join(path, '..'))).toContain('auth.json.codex-authd.lock');
  });
});

describe('a lock is lost until it is taken anew', () => {
  it('where another lease lies in the place of its own, whatever the word says', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    const word = await readFile(`${path}.codex-authd.owner`, 'utf8');
    await takeElsewhere(path);
    await writeFile(`${path}.codex-authd.owner`, word);
    expect(await lock.confirm()).toBe(false);
    expect(lock.held).toBe(false);
  });

  it.each<[string, (path: string) => Promise<void>, string | null]>([
    ['was removed', (path) => rm(path), null],
    ['was replaced by a copy of it', replaceByCopy, null],
    ['is not given by the disk', () => Promise.resolve(), 'EIO'],
  ])('where its word %s', async (_what, change, code) => {
    const path = join(await scratchDir(), 'auth.json');
    let isBroken = false;
    const fs: FileSystem = {
      ...systemFileSystem,
      open: (at, flags, mode) =>
        isBroken && code !== null && at.endsWith('.owner')
          ? Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }))
          : systemFileSystem.open(at, flags, mode),
    };
    const lock = new AccountLock({ ...REAL, path, fs });
    onTestFinished(() => lock.release());
    await lock.ensure();
    await change(`${path}.codex-authd.owner`);
    isBroken = true;
    expect(await lock.confirm()).toBe(false);
    expect(lock.held).toBe(false);
    isBroken = false;
    expect(await lock.ensure()).toBe('taken');
    expect(await lock.confirm()).toBe(true);
    const word = await readWord(systemFileSystem, `${path}.codex-authd.owner`);
    expect(word).toMatchObject({ owner: { pid: process.pid }, states: ['/state'] });
  });
});

describe('the word of whoever had the lock before', () => {
  it('is not written over where the disk does not give it: it tells where his journals are', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await leaveBehind(path, identifyMachine(), ['/its/state']);
    const before = await readFile(`${path}.codex-authd.owner`, 'utf8');
    let reads = 0;
    const fs: FileSystem = {
      ...systemFileSystem,
      open: (at, flags, mode) => {
        const isRead = at.endsWith('.owner') && (flags & (constants.O_RDWR | constants.O_WRONLY)) === 0;
        if (isRead && (reads += 1) === 2) {
          return Promise.reject(Object.assign(new Error('EIO: it failed'), { code: 'EIO' }));
        }
        return systemFileSystem.open(at, flags, mode);
      },
    };
    const lock = new AccountLock({ ...REAL, path, fs });
    onTestFinished(() => lock.release());
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'storage' });
    expect(await readFile(`${path}.codex-authd.owner`, 'utf8')).toBe(before);
    await lock.ensure();
    expect(lock.otherStates).toEqual(['/its/state']);
  });
});

describe('the lock of a daemon of this machine that was killed, if another machine is quicker', () => {
  it('is let go of again where that one has written itself down since', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await leaveBehind(path, identifyMachine());
    const lock = lockWith(path, {
      async remove(at) {
        await writeFile(`${path}.codex-authd.owner`, JSON.stringify(ELSEWHERE));
        await sharedLocks.remove(at);
      },
    });
    await expect(lock.ensure()).rejects.toMatchObject({
      code: 'already_running',
      hint: 'stop it on elsewhere first',
    });
    expect(await readdir(join(path, '..'))).toEqual(['auth.json.codex-authd.owner']);
  });

  it('is not had where that one has taken ours for the dead one’s, and removed it', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockWith(path, {
      async take(at, onLost) {
        const taken = await sharedLocks.take(at, onLost);
        await takeElsewhere(path);
        return taken;
      },
    });
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'already_running' });
    expect(lock.held).toBe(false);
    expect(await readdir(join(path, '..'))).toContain('auth.json.codex-authd.lock');
    // Its word as well: by ours, the next daemon of this machine would take that lock for a dead one's.
    expect(JSON.parse(await readFile(`${path}.codex-authd.owner`, 'utf8'))).toEqual(ELSEWHERE);
  });

  it('has its word at its place, also where the one before it removed that when it let go', async () => {
    const path = join(await scratchDir(), 'auth.json');
    let removals = 0;
    const lock = lockWith(path, {
      async take(at, onLost) {
        if (removals === 0) await rm(`${path}.codex-authd.owner`);
        removals += 1;
        return sharedLocks.take(at, onLost);
      },
    });
    expect(await lock.ensure()).toBe('taken');
    expect(JSON.parse(await readFile(`${path}.codex-authd.owner`, 'utf8'))).toMatchObject({
      pid: process.pid,
      states: ['/state'],
    });
    await expect(lockOf(path).ensure()).rejects.toMatchObject({
      message: expect.stringContaining(`pid ${String(process.pid)}`) as unknown,
    });
  });

  it('is nobody’s by its word where that one came at the very moment of writing it, and still tells where journals are', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await leaveBehind(path, identifyMachine(), ['/its/state']);
    const lock = lockWith(path, {
      async take(at, onLost) {
        const taken = await sharedLocks.take(at, onLost);
        if (taken === null) return null;
        let looks = 0;
        const confirm = async (): Promise<boolean> => {
          const isOurs = await taken.confirm();
          looks += 1;
          if (looks === 1) await takeElsewhere(path);
          return isOurs;
        };
        return { isCompromised: false, confirm, release: () => taken.release() };
      },
    });
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'already_running' });
    expect(await readWord(systemFileSystem, `${path}.codex-authd.owner`)).toEqual({
      owner: null,
      states: ['/state', '/its/state'],
    });
    expect(await readdir(join(path, '..'))).toContain('auth.json.codex-authd.lock');
    await rm(`${path}.codex-authd.lock`, { recursive: true });
    const next = lockOf(path);
    await next.ensure();
    expect(next.otherStates).toEqual(['/its/state']);
  });
});

/** As a tool does that synchronizes directories. */
async function replaceByCopy(path: string): Promise<void> {
  await copyFile(path, `${path}.copy`);
  await rename(`${path}.copy`, path);
}
