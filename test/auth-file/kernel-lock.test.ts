import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { Server } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { tryKernelLock } from '../../src/auth-file/kernel-lock.js';
import { systemFileSystem, type FileSystem, type OpenFile } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

/** A machine where koffi is not installed. */
const withoutFlock: FileSystem = {
  ...systemFileSystem,
  open: async (path, flags, mode) => ({
    ...(await systemFileSystem.open(path, flags, mode)),
    tryLock: () => Promise.resolve(null),
  }),
};

describe.each([
  ['flock', systemFileSystem],
  ['an abstract socket, where there is no flock', withoutFlock],
])('the kernel’s lock by %s', (_way, fs) => {
  it('is had by one at a time', async () => {
    const path = join(await scratchDir(), 'lock');
    const first = await tryKernelLock(fs, path);
    expect(first).not.toBeNull();
    expect(await tryKernelLock(fs, path)).toBeNull();
    await first?.release();
    const second = await tryKernelLock(fs, path);
    expect(second).not.toBeNull();
    await second?.release();
  });
});

describe('an abstract socket', () => {
  /** The same, on a disk that fails at one of the calls. */
  const failing = (change: (file: OpenFile) => Partial<OpenFile>): FileSystem => ({
    ...withoutFlock,
    open: async (...args) => {
      const file = await withoutFlock.open(...args);
      return { ...file, ...change(file) };
    },
  });
  const fail = (): Promise<never> => Promise.reject(new Error('EIO: it failed'));

  it('is let go of also where the file cannot be closed', async () => {
    const path = join(await scratchDir(), 'lock');
    const close = (file: OpenFile): Partial<OpenFile> => ({ close: () => file.close().then(fail) });
    const lock = await tryKernelLock(failing(close), path);
    await expect(lock?.release()).rejects.toThrow('EIO');
    const next = await tryKernelLock(withoutFlock, path);
    expect(next).not.toBeNull();
    await next?.release();
  });

  it('and where it cannot be found out whether the file is still there', async () => {
    const path = join(await scratchDir(), 'lock');
    await expect(
      tryKernelLock(
        failing(() => ({ stat: fail })),
        path,
      ),
    ).rejects.toThrow('EIO');
    const next = await tryKernelLock(withoutFlock, path);
    expect(next).not.toBeNull();
    await next?.release();
  });

  it('ends no process by its errors, however many there are', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen');
    onTestFinished(() => {
      listen.mockRestore();
    });
    const lock = await tryKernelLock(withoutFlock, join(await scratchDir(), 'lock'));
    const [server] = listen.mock.contexts;
    for (let time = 0; time < 2; time += 1) {
      expect(() => (server as Server).emit('error', new Error('EMFILE'))).not.toThrow();
    }
    await lock?.release();
  });
});

describe('a lock file that its holder removes while another one waits at the door', () => {
  it('is no lock: the other one starts over with the file that is there then', async () => {
    const path = join(await scratchDir(), 'lock');
    let opened = 0;
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (...args) => {
        const file = await systemFileSystem.open(...args);
        opened += 1;
        if (opened === 1) await rm(path);
        return file;
      },
    };
    const lock = await tryKernelLock(fs, path);
    expect(opened).toBe(2);
    expect(await tryKernelLock(systemFileSystem, path)).toBeNull();
    await lock?.release();
  });
});
