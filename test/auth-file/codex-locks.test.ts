import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withCodexLocks } from '../../src/auth-file/codex-locks.js';
import { systemClock, type Clock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem, type OpenFile } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

/** Takes the kernel's lock as a Codex would, through a descriptor of its own. */
async function holdAsCodex(path: string): Promise<OpenFile> {
  const file = await systemFileSystem.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  expect(await file.tryLock()).toBe(true);
  return file;
}

/** The real file system, with files that are `changed`, and how many of those are open. */
function counting(change: (file: OpenFile, path: string) => OpenFile): {
  readonly fs: FileSystem;
  readonly open: () => number;
} {
  let open = 0;
  const fs: FileSystem = {
    ...systemFileSystem,
    async open(path, flags, mode) {
      const file = await systemFileSystem.open(path, flags, mode);
      open += 1;
      return change(
        {
          ...file,
          async close() {
            await file.close();
            open -= 1;
          },
        },
        path,
      );
    },
  };
  return { fs, open: () => open };
}

describe('the locks of Codex', () => {
  it('are both held while the work is done, and stay behind as files', async () => {
    const [home, elsewhere] = [await scratchDir(), await scratchDir()];
    const real = join(elsewhere, 'auth.json');
    const done = await withCodexLocks(
      systemFileSystem,
      join(home, 'auth.json'),
      real,
      systemClock,
      async () => {
        for (const path of [join(home, 'auth.lock'), `${real}.lock`]) {
          const file = await systemFileSystem.open(path, constants.O_RDWR);
          expect(await file.tryLock()).toBe(false);
          await file.close();
        }
        return 'done';
      },
    );
    expect(done).toBe('done');
    expect(await readdir(home)).toEqual(['auth.lock']);
    expect((await stat(`${real}.lock`)).isFile()).toBe(true);
    await (await holdAsCodex(`${real}.lock`)).close();
  });

  it('are waited for, and taken when Codex lets go', async () => {
    const home = await scratchDir();
    const path = join(home, 'auth.json');
    const codex = await holdAsCodex(join(home, 'auth.lock'));
    let tries = 0;
    const clock: Clock = {
      now: () => 0,
      monotonicMs: () => 0,
      after: (_ms, wake) => {
        tries += 1;
        void (tries === 3 ? codex.close() : Promise.resolve()).then(wake);
        return () => undefined;
      },
    };
    let isDone = false;
    await withCodexLocks(systemFileSystem, path, path, clock, () => {
      isDone = true;
      return Promise.resolve();
    });
    expect([isDone, tries]).toEqual([true, 3]);
  });

  it('are not waited for without limit, and the work is not done without them', async () => {
    const home = await scratchDir();
    const path = join(home, 'auth.json');
    const codex = await holdAsCodex(`${path}.lock`);
    let nowMs = 0;
    const clock: Clock = {
      now: () => 0,
      monotonicMs: () => nowMs,
      after: (ms, wake) => {
        nowMs += ms;
        setImmediate(wake);
        return () => undefined;
      },
    };
    let isDone = false;
    const work = (): Promise<void> => {
      isDone = true;
      return Promise.resolve();
    };
    await expect(withCodexLocks(systemFileSystem, path, path, clock, work)).rejects.toMatchObject({
      code: 'storage',
    });
    expect(isDone).toBe(false);
    await codex.close();
    await withCodexLocks(systemFileSystem, path, path, clock, work);
    expect(isDone).toBe(true);
  });

  it('let go when the work fails', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const fail = (): Promise<void> => Promise.reject(new Error('no'));
    await expect(withCodexLocks(systemFileSystem, path, path, systemClock, fail)).rejects.toThrow('no');
    await (await holdAsCodex(`${path}.lock`)).close();
  });

  it('are told when a directory lies in the place of one, over which Codex would lose its login', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await mkdir(`${path}.lock`);
    const nothing = (): Promise<void> => Promise.resolve();
    await expect(withCodexLocks(systemFileSystem, path, path, systemClock, nothing)).rejects.toMatchObject({
      code: 'storage',
      hint: expect.stringContaining('remove it') as string,
    });
  });

  it('never give a file that was there to the owner of the home: it may be any file, that a link leads to', async () => {
    const [home, elsewhere] = [await scratchDir(), await scratchDir()];
    const path = join(home, 'auth.json');
    await writeFile(join(elsewhere, 'theirs'), 'text');
    await symlink(join(elsewhere, 'theirs'), join(home, 'auth.lock'));
    await symlink(join(elsewhere, 'new'), `${path}.lock`);
    const given: string[] = [];
    const { fs } = counting((file, name) => ({
      ...file,
      stat: async () => ({ ...(await file.stat()), owner: { uid: 0, gid: 0 } }),
      chown: () => {
        given.push(name);
        return Promise.resolve();
      },
    }));
    const usersHome: FileSystem = {
      ...fs,
      stat: async (name) => ({ ...(await fs.stat(name)), owner: { uid: 12345, gid: 12345 } }),
    };
    await withCodexLocks(usersHome, path, path, systemClock, () => Promise.resolve());
    expect(given).toEqual([]);
    expect(await readFile(join(elsewhere, 'theirs'), 'utf8')).toBe('text');
    const fresh = join(elsewhere, 'auth.json');
    await withCodexLocks(usersHome, fresh, fresh, systemClock, () => Promise.resolve());
    expect(given).toEqual([join(elsewhere, 'auth.lock'), `${fresh}.lock`]);
  });

  it('leave no file open where the owner of one cannot be found out', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const { fs, open } = counting((file) => ({ ...file, stat: () => Promise.reject(new Error('EIO')) }));
    const nothing = (): Promise<void> => Promise.resolve();
    await expect(withCodexLocks(fs, path, path, systemClock, nothing)).rejects.toMatchObject({
      code: 'storage',
    });
    expect(open()).toBe(0);
  });

  it.each(['EFLOCK', 'EIO'])(
    'are told by name when one cannot be locked, and none stays open: %s',
    async (code) => {
      const path = join(await scratchDir(), 'auth.json');
      const failure = Object.assign(new Error(`flock failed: ${code}`), { code });
      const { fs, open } = counting((file, name) => ({
        ...file,
        tryLock: () => (name === `${path}.lock` ? Promise.reject(failure) : file.tryLock()),
      }));
      const nothing = (): Promise<void> => Promise.resolve();
      await expect(withCodexLocks(fs, path, path, systemClock, nothing)).rejects.toMatchObject({
        code: 'storage',
        message: expect.stringContaining(`${path}.lock`) as string,
        cause: failure,
      });
      expect(open()).toBe(0);
    },
  );

  it('are both let go of where closing one fails, and the work counts', async () => {
    const home = await scratchDir();
    const path = join(home, 'auth.json');
    const { fs, open } = counting((file, name) => ({
      ...file,
      async close() {
        await file.close();
        if (name === `${path}.lock`) throw new Error('EIO');
      },
    }));
    expect(await withCodexLocks(fs, path, path, systemClock, () => Promise.resolve('done'))).toBe('done');
    expect(open()).toBe(0);
    await (await holdAsCodex(join(home, 'auth.lock'))).close();
  });
});
