import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { tryKernelLock } from '../../src/auth-file/kernel-lock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
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
