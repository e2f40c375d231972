import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PublishedFile } from '../../src/auth-file/published-file.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

it('a directory that takes no files is told of in the same words each time, so that a log says it once', async () => {
  const directory = await scratchDir();
  const refusing: FileSystem = {
    ...systemFileSystem,
    open(path, flags, mode) {
      if (!path.includes('.codex-authd-')) return systemFileSystem.open(path, flags, mode);
      return Promise.reject(
        Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES' }),
      );
    },
  };
  const file = new PublishedFile(directory, refusing, systemClock);
  const attempt = (): Promise<unknown> => file.put('{}', () => true).catch((error: unknown) => error);
  const [first, second] = [await attempt(), await attempt()];
  expect(first).toMatchObject({ code: 'storage', message: expect.stringContaining('EACCES') });
  expect(second).toMatchObject({ message: (first as Error).message });
});

it('is removed whatever else lies there under the name of a temporary file', async () => {
  const directory = await scratchDir();
  const file = new PublishedFile(directory, systemFileSystem, systemClock);
  await mkdir(join(directory, '.auth.json.codex-authd-0'));
  await file.put('{}', () => true);
  expect(await file.remove(() => true)).toBe('removed');
  expect(await readdir(directory)).not.toContain('auth.json');
});

it('is not taken for removed because somebody else removes a temporary file at that moment', async () => {
  const directory = await scratchDir();
  await writeFile(join(directory, '.auth.json.codex-authd-0'), '');
  await writeFile(join(directory, 'auth.json'), '{}');
  const racing: FileSystem = {
    ...systemFileSystem,
    async readdir(path) {
      const names = await systemFileSystem.readdir(path);
      await systemFileSystem.unlink(join(path, '.auth.json.codex-authd-0'));
      return names;
    },
  };
  expect(await new PublishedFile(directory, racing, systemClock).remove(() => true)).toBe('removed');
});
