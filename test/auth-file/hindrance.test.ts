import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AuthFile } from '../../src/auth-file/auth-file.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { mountPointsIn } from '../../src/os/mounts.js';
import { scratchDir } from '../support/scratch-dir.js';

describe('what only the rename would meet is found out before a token is spent', () => {
  /** Tries to make room beside an auth.json, and says what it has left there. */
  async function stage(fs: Partial<FileSystem>): Promise<{ refusal: unknown; left: string[] }> {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    await writeFile(path, '{}');
    const file = new AuthFile(path, { ...systemFileSystem, ...fs }, systemClock);
    const refusal = await file
      .stage(2, () => true)
      .then(
        () => null,
        (error: unknown) => error,
      );
    return { refusal, left: await readdir(directory) };
  }

  function failingToOpen(code: string): FileSystem['open'] {
    return (path, flags, mode) =>
      path.endsWith('auth.json')
        ? Promise.reject(Object.assign(new Error(code), { code }))
        : systemFileSystem.open(path, flags, mode);
  }

  it('a file that is mounted by itself', async () => {
    const { refusal, left } = await stage({ isMountPoint: () => Promise.resolve(true) });
    expect(refusal).toMatchObject({ code: 'storage', hint: expect.stringContaining('mount the directory') });
    expect(left).toEqual(['auth.json']);
  });

  it('one that is immutable', async () => {
    const { refusal, left } = await stage({ open: failingToOpen('EPERM') });
    expect(refusal).toMatchObject({
      code: 'storage',
      hint: expect.stringMatching(/chattr -i -a .*auth.json/),
    });
    expect(left).toEqual(['auth.json']);
  });

  it('not one that its owner may not write: its directory decides', async () => {
    expect(await stage({ open: failingToOpen('EACCES') })).toMatchObject({ refusal: null });
  });
});

it('mount points are read as the kernel writes them, spaces and all', () => {
  const table = [
    '22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw',
    String.raw`36 27 8:1 /a /home/my\040user/a\134b/auth.json rw - ext4 /dev/sda1 rw`,
    '',
  ].join('\n');
  expect(mountPointsIn(table)).toEqual(['/proc', String.raw`/home/my user/a\b/auth.json`]);
});

it('a mount point is none any more where something else was mounted over its directory', () => {
  const table = [
    '40 27 8:1 /b /home/somebody/.codex/auth.json rw - ext4 /dev/sda1 rw',
    '41 27 8:1 /c /home/somebody/.codex rw - ext4 /dev/sda1 rw',
    '42 41 8:1 /d /home/somebody/.codex/config.toml rw - ext4 /dev/sda1 rw',
    '43 40 8:1 /e /home/somebody/.codex/auth.json/deeper rw - ext4 /dev/sda1 rw',
  ].join('\n');
  expect(mountPointsIn(table)).toEqual(['/home/somebody/.codex', '/home/somebody/.codex/config.toml']);
});
