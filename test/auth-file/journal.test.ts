import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Journal } from '../../src/auth-file/journal.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

const INTENT = { spent: '0123456789ab', startedAtMs: 1_795_000_000_000 };

describe('the journal of a rotation', () => {
  it('tells a successor the intent, and as much of the answer as had come', async () => {
    const directory = join(await scratchDir(), 'state');
    const journal = new Journal(systemFileSystem, directory, 'default');
    expect(await journal.read()).toEqual([]);
    const open = await journal.begin(INTENT);
    expect(await journal.read()).toEqual([{ spent: INTENT.spent, answer: '' }]);
    open.record(Buffer.from('{"access_token":"ä'));
    expect(await journal.read()).toEqual([{ spent: INTENT.spent, answer: '{"access_token":"ä' }]);
    open.record(Buffer.from('"}'));
    await open.seal();
    await open.close();
    expect(await journal.read()).toEqual([{ spent: INTENT.spent, answer: '{"access_token":"ä"}' }]);
    expect((await stat(join(directory, `default.${INTENT.spent}.journal`))).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    await journal.clear(INTENT.spent);
    await journal.clear(INTENT.spent);
    expect(await readdir(directory)).toEqual([]);
  });

  it('keeps what belongs to another login, and takes what it cannot read for a token that may be spent', async () => {
    const directory = await scratchDir();
    const journal = new Journal(systemFileSystem, directory, 'default');
    await mkdir(join(directory, 'default.aaaaaaaaaaaa.journal'));
    await writeFile(join(directory, 'other.bbbbbbbbbbbb.journal'), '');
    const open = await journal.begin(INTENT);
    await open.close();
    expect(await journal.read()).toEqual([
      { spent: INTENT.spent, answer: '' },
      { spent: 'aaaaaaaaaaaa', answer: '' },
    ]);
  });

  it('has the space for the largest answer before anything is sent', async () => {
    const directory = await scratchDir();
    const journal = new Journal(systemFileSystem, directory, 'default');
    const open = await journal.begin(INTENT);
    const before = await stat(join(directory, `default.${INTENT.spent}.journal`));
    open.record(Buffer.alloc(1024 * 1024, 'x'));
    await open.seal();
    const after = await stat(join(directory, `default.${INTENT.spent}.journal`));
    expect([after.size, after.blocks]).toEqual([before.size, before.blocks]);
    await open.close();
    expect((await journal.read())[0]?.answer).toHaveLength(1024 * 1024);
  });

  it('records with one system call and does not throw when that fails; the seal tells', async () => {
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (path, flags, mode) => {
        const file = await systemFileSystem.open(path, flags, mode);
        return {
          ...file,
          writeNow: () => {
            throw new Error('EIO: planted');
          },
        };
      },
    };
    const open = await new Journal(fs, await scratchDir(), 'default').begin(INTENT);
    open.record(Buffer.from('{}'));
    await expect(open.seal()).rejects.toThrow('EIO');
    await open.close();
  });

  it('takes a write that was cut short for one that failed', async () => {
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (path, flags, mode) => {
        const file = await systemFileSystem.open(path, flags, mode);
        return { ...file, writeNow: (bytes, at) => file.writeNow(bytes.subarray(1), at) };
      },
    };
    const open = await new Journal(fs, await scratchDir(), 'default').begin(INTENT);
    open.record(Buffer.from('{}'));
    await expect(open.seal()).rejects.toThrow();
    await open.close();
  });

  it('leaves nothing behind when it cannot be begun', async () => {
    const directory = await scratchDir();
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (path, flags, mode) => {
        const file = await systemFileSystem.open(path, flags, mode);
        return { ...file, sync: () => Promise.reject(new Error('ENOSPC: planted')) };
      },
    };
    await expect(new Journal(fs, directory, 'default').begin(INTENT)).rejects.toThrow('ENOSPC');
    expect(await readdir(directory)).toEqual([]);
  });

  it.each(['', 'nonsense', '{"spent":7}', ' '.repeat(5000)])(
    'that was never synced tells that nothing was sent, and is swept up: %j',
    async (text) => {
      const directory = await scratchDir();
      await writeFile(join(directory, `default.${INTENT.spent}.journal`), text);
      expect(await new Journal(systemFileSystem, directory, 'default').read()).toEqual([]);
      expect(await readdir(directory)).toEqual([]);
    },
  );
});
