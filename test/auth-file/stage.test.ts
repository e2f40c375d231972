import {
  chown,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AuthFile } from '../../src/auth-file/auth-file.js';
import { openStage, removeLeftovers } from '../../src/auth-file/stage.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem, type OpenFile } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';
import { recordingFileSystem } from './recording-fs.js';

describe('committing a new auth.json', () => {
  it('replaces the file, 0600 whatever the umask, and leaves nothing beside it', async () => {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    await writeFile(path, 'old', { mode: 0o644 });
    const umask = process.umask(0o077);
    process.umask(0);
    try {
      const stage = await openStage(systemFileSystem, path, 3);
      expect(await stage.commit('old', 'new')).toBe(true);
      await stage.discard();
    } finally {
      process.umask(umask);
    }
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['auth.json']);
  });

  it('leaves the file to whom it belongs, also when root is at work', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, 'old');
    const uid = process.getuid?.() === 0 ? 12_345 : (process.getuid?.() ?? 0);
    const gid = process.getuid?.() === 0 ? 12_346 : (process.getgid?.() ?? 0);
    await chown(path, uid, gid);
    const stage = await openStage(systemFileSystem, path, 3);
    expect(await stage.commit('old', 'new')).toBe(true);
    expect(await stat(path)).toMatchObject({ uid, gid });
  });

  it('changes nothing if somebody else wrote in between', async () => {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    await writeFile(path, 'theirs');
    const stage = await openStage(systemFileSystem, path, 3);
    expect(await stage.commit('old', 'ours')).toBe(false);
    await stage.discard();
    expect(await readFile(path, 'utf8')).toBe('theirs');
    expect(await readdir(directory)).toEqual(['auth.json']);
  });

  it('does not bring a file back that was deleted: a logout stays a logout', async () => {
    const directory = await scratchDir();
    const stage = await openStage(systemFileSystem, join(directory, 'auth.json'), 3);
    expect(await stage.commit('old', 'new')).toBe(false);
    await stage.discard();
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not replace a link that has taken the place of the file meanwhile, to the same text', async () => {
    const [home, elsewhere] = [await scratchDir(), await scratchDir()];
    const [path, real] = [join(home, 'auth.json'), join(elsewhere, 'work.json')];
    await writeFile(path, 'old');
    const file = new AuthFile(path, systemFileSystem, systemClock);
    const stage = await file.stage(3, HELD);
    await rename(path, real);
    await symlink(real, path);
    expect(await stage.commit('old', 'new')).toBe(false);
    await stage.discard();
    expect(await readlink(path)).toBe(real);
    const next = await file.stage(3, HELD);
    expect(await next.commit('old', 'new')).toBe(true);
    expect(await readFile(real, 'utf8')).toBe('new');
  });

  it('does not write where a link led before it was turned to a copy', async () => {
    const [home, elsewhere] = [await scratchDir(), await scratchDir()];
    const path = join(home, 'auth.json');
    const [before, now] = [join(elsewhere, 'before.json'), join(elsewhere, 'now.json')];
    for (const copy of [before, now]) await writeFile(copy, 'old');
    await symlink(before, path);
    const stage = await new AuthFile(path, systemFileSystem, systemClock).stage(3, HELD);
    await rm(path);
    await symlink(now, path);
    expect(await stage.commit('old', 'new')).toBe(false);
    await stage.discard();
    expect(await readFile(before, 'utf8')).toBe('old');
    expect(await readFile(now, 'utf8')).toBe('old');
  });

  it('keeps a symbolic link a symbolic link, and works beside the real file', async () => {
    const home = await scratchDir();
    const elsewhere = await scratchDir();
    const real = join(elsewhere, 'work.json');
    await writeFile(real, 'old');
    await symlink(real, join(home, 'auth.json'));
    const stage = await new AuthFile(join(home, 'auth.json'), systemFileSystem, systemClock).stage(3, HELD);
    expect(await readdir(home)).toEqual(['auth.json', 'auth.lock']);
    expect(await stage.commit('old', 'new')).toBe(true);
    expect(await readlink(join(home, 'auth.json'))).toBe(real);
    expect((await lstat(real)).isFile()).toBe(true);
    expect(await readFile(real, 'utf8')).toBe('new');
  });

  it('makes what another has written durable where it really is, its name, and the link to it', async () => {
    const [home, elsewhere] = [await scratchDir(), await scratchDir()];
    const [path, real] = [join(home, 'auth.json'), join(elsewhere, 'work.json')];
    await symlink(real, path);
    const { fs, steps } = recordingFileSystem();
    const file = new AuthFile(path, fs, systemClock);
    await writeFile(real, 'theirs');
    await file.confirm();
    expect(steps).toEqual([`sync ${real}`, `sync ${elsewhere}`, `sync ${home}`]);
  });

  it('makes durable that another has removed it, its directory as well, or put a file in the place of that', async () => {
    const base = await scratchDir();
    const home = join(base, 'codex', 'home');
    await mkdir(home, { recursive: true });
    const { fs, steps } = recordingFileSystem();
    const file = new AuthFile(join(home, 'auth.json'), fs, systemClock);
    await file.confirm();
    await rmdir(home);
    await file.confirm();
    await writeFile(home, '');
    await file.confirm();
    await rm(join(base, 'codex'), { recursive: true });
    await file.confirm();
    const parent = join(base, 'codex');
    expect(steps).toEqual([`sync ${home}`, `sync ${parent}`, `sync ${parent}`, `sync ${base}`]);
  });

  it('stores a shorter and a longer text than was made room for', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, 'old');
    const long = 'x'.repeat(100_000);
    const first = await openStage(systemFileSystem, path, 3);
    expect(await first.commit('old', long)).toBe(true);
    const second = await openStage(systemFileSystem, path, long.length);
    expect(await second.commit(long, 'short')).toBe(true);
    expect(await readFile(path, 'utf8')).toBe('short');
  });

  it('syncs the text before the rename and the directory after it', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, 'old');
    const steps: string[] = [];
    const stage = await openStage(recording(steps), path, 3);
    steps.length = 0;
    await stage.commit('old', 'new');
    expect(steps).toEqual([
      'write',
      'truncate',
      'sync',
      'open',
      'close',
      'rename',
      'close',
      'open',
      'sync',
      'close',
    ]);
  });

  it('finishes a write that the file system takes in small pieces', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, 'old');
    const inPieces = wrapFiles((file) => ({
      ...file,
      write: (bytes, at) => file.write(bytes.subarray(0, 5), at),
    }));
    const stage = await openStage(inPieces, path, 3);
    expect(await stage.commit('old', 'a new and longer text')).toBe(true);
    expect(await readFile(path, 'utf8')).toBe('a new and longer text');
  });

  it.each(['ENOSPC', 'EROFS', 'EIO'])(
    'finds out %s before anything is sent, and leaves nothing behind',
    async (code) => {
      const directory = await scratchDir();
      const path = join(directory, 'auth.json');
      await writeFile(path, 'old');
      const failing = wrapFiles((file) => ({ ...file, sync: () => Promise.reject(systemError(code)) }));
      await expect(openStage(failing, path, 3)).rejects.toMatchObject({
        code: 'storage',
        hint: expect.any(String) as string,
      });
      expect(await readdir(directory)).toEqual(['auth.json']);
    },
  );

  it('leaves the old file whole when the rename fails, and nothing beside it', async () => {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    await writeFile(path, 'old');
    const fs: FileSystem = { ...systemFileSystem, rename: () => Promise.reject(systemError('EIO')) };
    const stage = await openStage(fs, path, 3);
    await expect(stage.commit('old', 'new')).rejects.toThrow('EIO');
    await stage.discard();
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['auth.json']);
  });

  it('removes what a killed daemon left, and nothing else', async () => {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    const left = await openStage(systemFileSystem, path, 3);
    await writeFile(join(directory, '.auth-AbC123'), "Codex's own");
    expect(await removeLeftovers(systemFileSystem, path)).toBe(1);
    expect(await readdir(directory)).toEqual(['.auth-AbC123']);
    await left.discard();
  });

  it('leaves what the next daemon has made where this one stood still, and has lost the lock', async () => {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    await writeFile(path, 'old');
    const theirs = await openStage(systemFileSystem, path, 3);
    const late = await new AuthFile(path, systemFileSystem, systemClock).stage(3, () => false);
    expect(await theirs.commit('old', 'new')).toBe(true);
    expect(await readFile(path, 'utf8')).toBe('new');
    await late.discard();
  });

  it('is removed by the next stage, where it could not be removed by its own', async () => {
    const directory = await scratchDir();
    const path = join(directory, 'auth.json');
    await writeFile(path, 'old');
    const isReadOnly = { now: false };
    const fs: FileSystem = {
      ...systemFileSystem,
      unlink: (name) =>
        isReadOnly.now ? Promise.reject(systemError('EROFS')) : systemFileSystem.unlink(name),
    };
    const file = new AuthFile(path, fs, systemClock);
    const first = await file.stage(3, HELD);
    isReadOnly.now = true;
    await first.discard();
    isReadOnly.now = false;
    const second = await file.stage(3, HELD);
    expect(await second.commit('old', 'new')).toBe(true);
    expect((await readdir(directory)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

const HELD = (): boolean => true;

function wrapFiles(wrap: (file: OpenFile) => OpenFile): FileSystem {
  return { ...systemFileSystem, open: async (...args) => wrap(await systemFileSystem.open(...args)) };
}

function recording(steps: string[]): FileSystem {
  const note =
    <A extends unknown[], R>(step: string, act: (...args: A) => R) =>
    (...args: A): R => {
      steps.push(step);
      return act(...args);
    };
  return {
    ...systemFileSystem,
    open: note('open', async (path: string, flags: number, mode?: number) => {
      const file = await systemFileSystem.open(path, flags, mode);
      return {
        ...file,
        write: note('write', (bytes: Uint8Array, at: number) => file.write(bytes, at)),
        truncate: note('truncate', (length: number) => file.truncate(length)),
        sync: note('sync', () => file.sync()),
        close: note('close', () => file.close()),
      };
    }),
    rename: note('rename', (from: string, to: string) => systemFileSystem.rename(from, to)),
  };
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: planted`), { code });
}
