import { constants } from 'node:fs';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
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

describe('the word of the lock, written over by one that stood still since it lost the lock,', () => {
  const overwrite = (path: string): Promise<void> =>
    writeFile(`${path}.codex-authd.owner`, JSON.stringify({ ...ELSEWHERE, states: ['/its/state'] }));

  it('is put down again when the lock is confirmed, and tells where that one’s journals are as well', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    await overwrite(path);
    expect(await lock.confirm()).toBe(true);
    expect(await readWord(systemFileSystem, `${path}.codex-authd.owner`)).toMatchObject({
      owner: { pid: process.pid },
      states: ['/state', '/its/state'],
    });
    expect(lock.otherStates).toEqual(['/its/state']);
  });

  it('is not put down over that of whoever has the lock by now', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lock = lockOf(path);
    await lock.ensure();
    await takeElsewhere(path);
    expect(await lock.confirm()).toBe(false);
    expect(JSON.parse(await readFile(`${path}.codex-authd.owner`, 'utf8'))).toEqual(ELSEWHERE);
  });

  it.each([
    ['it was removed', 'ENOENT'],
    ['the disk does not give it', 'EIO'],
  ])('leaves the lock lost until it is taken anew, where %s', async (_what, code) => {
    const path = join(await scratchDir(), 'auth.json');
    let isBroken = false;
    const fs: FileSystem = {
      ...systemFileSystem,
      open: (at, flags, mode) =>
        isBroken && at.endsWith('.owner')
          ? Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }))
          : systemFileSystem.open(at, flags, mode),
    };
    const lock = new AccountLock({ ...REAL, path, fs });
    onTestFinished(() => lock.release());
    await lock.ensure();
    if (code === 'EIO') isBroken = true;
    else await rm(`${path}.codex-authd.owner`);
    expect(await lock.confirm()).toBe(false);
    expect(lock.held).toBe(false);
    isBroken = false;
    expect(await lock.ensure()).toBe('taken');
    expect(await lock.confirm()).toBe(true);
    expect(await readWord(systemFileSystem, `${path}.codex-authd.owner`)).toMatchObject({
      states: ['/state'],
    });
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
