import { execFileSync } from 'node:child_process';
import { chmod, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readText } from '../../src/auth-file/read-text.js';
import { readAuthFile } from '../../src/auth-file/read.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

const read = (path: string, fs: FileSystem = systemFileSystem): ReturnType<typeof readAuthFile> =>
  readAuthFile(fs, path);

describe('reading an auth.json', () => {
  it('gives the text as it is, with a stamp that any change changes', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{"a":1}');
    const first = await read(path);
    expect(first).toMatchObject({ kind: 'text', text: '{"a":1}' });
    expect(await read(path)).toEqual(first);

    await writeFile(`${path}.new`, '{"a":1}');
    await rename(`${path}.new`, path);
    const second = await read(path);
    expect(second).toMatchObject({ kind: 'text', text: '{"a":1}' });
    expect(second).not.toEqual(first);
  });

  it('finds a file that is not there absent, and its stamp changes when anything appears beside it', async () => {
    const directory = await scratchDir();
    const before = await read(join(directory, 'auth.json'));
    expect(before).toMatchObject({ kind: 'absent', otherStore: null });
    await mkdir(join(directory, 'sessions'));
    expect(await read(join(directory, 'auth.json'))).not.toEqual(before);
  });

  it('finds a file absent whose directory, or whose link target, is not there', async () => {
    const directory = await scratchDir();
    expect(await read(join(directory, 'none', 'auth.json'))).toMatchObject({ kind: 'absent' });
    await symlink(join(directory, 'elsewhere.json'), join(directory, 'auth.json'));
    expect(await read(join(directory, 'auth.json'))).toMatchObject({ kind: 'absent' });
  });

  it.each(['keyring', 'auto', 'ephemeral'])(
    'says when Codex was told to keep its login in: %s',
    async (store) => {
      const directory = await scratchDir();
      await writeFile(join(directory, 'config.toml'), `cli_auth_credentials_store = "${store}"\n`);
      expect(await read(join(directory, 'auth.json'))).toMatchObject({ kind: 'absent', otherStore: store });
    },
  );

  it('takes a config.toml that nobody can read for one that says nothing', async () => {
    const directory = await scratchDir();
    await writeFile(join(directory, 'config.toml'), 'cli_auth_credentials_store = "key');
    expect(await read(join(directory, 'auth.json'))).toMatchObject({ kind: 'absent', otherStore: null });
  });

  it('refuses a directory', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await mkdir(path);
    expect(await read(path)).toMatchObject({ kind: 'refused', reason: 'not_a_file' });
  });

  it('refuses a FIFO instead of hanging on it', async () => {
    const path = join(await scratchDir(), 'auth.json');
    execFileSync('mkfifo', [path]);
    expect(await read(path)).toMatchObject({ kind: 'refused', reason: 'not_a_file' });
  });

  it('refuses a symbolic link that leads to itself', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await symlink(path, path);
    expect(await read(path)).toMatchObject({ kind: 'refused', reason: 'unreadable' });
  });

  it('refuses what is over 1 MiB', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, ' '.repeat(10 * 1024 * 1024));
    expect(await read(path)).toMatchObject({ kind: 'refused', reason: 'too_large' });
  });

  it('refuses what is not UTF-8', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, Buffer.from([0x7b, 0xff, 0x7d]));
    expect(await read(path)).toMatchObject({ kind: 'refused', reason: 'not_utf8' });
  });

  it('refuses a file that may not be read', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{}');
    await chmod(path, 0);
    const fs: FileSystem = { ...systemFileSystem, open: () => Promise.reject(systemError('EACCES')) };
    expect(await read(path, fs)).toMatchObject({ kind: 'refused', reason: 'unreadable' });
  });

  it('has read what it has read, also if closing the file fails', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{}');
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (...open) => {
        const file = await systemFileSystem.open(...open);
        return { ...file, close: () => file.close().then(() => Promise.reject(systemError('EIO'))) };
      },
    };
    expect(await read(path, fs)).toMatchObject({ kind: 'text', text: '{}' });
    expect(await readText(fs, path, 100)).toBe('{}');
  });

  it('says nothing of a file that changes while it is read', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{"a":1}');
    const fs: FileSystem = {
      ...systemFileSystem,
      stat: async (target) => {
        await writeFile(path, '{"a":22}');
        return systemFileSystem.stat(target);
      },
    };
    expect(await read(path, fs)).toEqual({ kind: 'unsettled' });
  });
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: planted`), { code });
}
