import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HeldRecord } from '../../src/auth-file/held-record.js';
import { RecordStore } from '../../src/auth-file/record-store.js';
import { stateName } from '../../src/auth-file/state-name.js';
import { EMPTY_RECORD, type AccountRecord } from '../../src/core/account-record.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';
import { recordingFileSystem } from './recording-fs.js';

describe('the record of an account', () => {
  it('is read as it was written, by its owner only, in a directory of its own', async () => {
    const directory = join(await scratchDir(), 'state', 'codex-authd');
    const store = new RecordStore(systemFileSystem, directory, 'default');
    expect(await store.load()).toBeNull();
    const record: AccountRecord = {
      ...EMPTY_RECORD,
      generation: 7,
      digest: 'abc',
      dead: [
        { fingerprint: 'def', reason: 'refresh_token_spent', detail: 'gone' },
        { fingerprint: 'fed', reason: 'refresh_token_rejected', detail: 'no', endpoint: '0123456789abcdef' },
      ],
    };
    await store.save({ ...record, generation: 6 });
    await store.save(record);
    expect(await store.load()).toEqual(record);
    expect(await readdir(directory)).toEqual(['default.json']);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'default.json'))).mode & 0o777).toBe(0o600);
  });

  it('outlives a loss of power, once it is saved: what it tells is told by nothing else then', async () => {
    const directory = await scratchDir();
    const { fs, steps } = recordingFileSystem();
    await new RecordStore(fs, directory, 'default').save(EMPTY_RECORD);
    const path = join(directory, 'default.json');
    expect(steps.slice(-3)).toEqual([`sync ${path}.new`, `rename ${path}`, `sync ${directory}`]);
  });

  it('outlives one before anyone goes on from it: who wrote it may have been killed before that', async () => {
    const directory = await scratchDir();
    const { fs, steps } = recordingFileSystem();
    const store = new RecordStore(fs, directory, 'default');
    await store.save({ ...EMPTY_RECORD, generation: 7 });
    steps.splice(0);
    const record = await new HeldRecord(store, { held: true, tenure: {} }).open();
    expect([record?.generation, steps]).toEqual([7, [`sync ${directory}`]]);
  });

  it('is found under the name that the account had before, and has its new one once it is saved', async () => {
    const directory = await scratchDir();
    const of = (name: string): RecordStore =>
      new RecordStore(systemFileSystem, directory, stateName(name, '/home/somebody/.codex/auth.json'));
    const elsewhere = stateName('work', '/home/somebody/else/auth.json');
    await new RecordStore(systemFileSystem, directory, elsewhere).save({ ...EMPTY_RECORD, generation: 99 });
    await of('work').save({ ...EMPTY_RECORD, generation: 7, doubted: ['abc'] });
    const renamed = of('at-home');
    expect(await renamed.load()).toMatchObject({ generation: 7, doubted: ['abc'] });
    await renamed.save({ ...EMPTY_RECORD, generation: 8, doubted: ['abc'] });
    expect(await of('work').load()).toMatchObject({ generation: 8 });
    expect((await readdir(directory)).filter((file) => file.startsWith('work'))).toEqual([
      `${elsewhere}.json`,
    ]);
    // What somebody has written there since is not removed.
    await of('work').save({ ...EMPTY_RECORD, generation: 9 });
    const stays = of('at-home');
    await stays.load();
    const work = join(directory, `${stateName('work', '/home/somebody/.codex/auth.json')}.json`);
    await writeFile(work, JSON.stringify({ ...EMPTY_RECORD, generation: 10 }));
    await stays.save({ ...EMPTY_RECORD, generation: 8, doubted: ['abc'] });
    expect(await of('at-home').load()).toMatchObject({ generation: 10, doubted: ['abc'] });
    await rm(work);
    // What the disk does not give may tell of such tokens; what is damaged tells nothing.
    const old = join(directory, `${stateName('w', '/home/somebody/.codex/auth.json')}.json`);
    await mkdir(old);
    await expect(of('at-home').load()).rejects.toMatchObject({ code: 'EISDIR' });
    await rm(old, { recursive: true });
    await writeFile(old, '{');
    expect(await of('at-home').load()).toMatchObject({ generation: 8 });
    // Of two, each knows of tokens that must not be sent.
    await writeFile(old, JSON.stringify({ ...EMPTY_RECORD, generation: 3, doubted: ['def'] }));
    expect(await of('at-home').load()).toMatchObject({ generation: 8, doubted: ['def', 'abc'] });
  });

  it('is found by those of other homes, as far as it can be read', async () => {
    const directory = await scratchDir();
    const of = (path: string): RecordStore =>
      new RecordStore(systemFileSystem, directory, stateName('default', path));
    expect(
      await new RecordStore(systemFileSystem, join(directory, 'not-there'), 'default').loadOthers(),
    ).toEqual([]);
    await of('/home/somebody/.codex/auth.json').save({ ...EMPTY_RECORD, generation: 7 });
    await of('/home/somebody/copy/auth.json').save({ ...EMPTY_RECORD, generation: 8 });
    await writeFile(join(directory, 'damaged-0123456789ab.json'), '{');
    await mkdir(join(directory, 'directory-0123456789ab.json'));
    // Where it is remembered what is published is no record, whatever becomes of its form.
    await writeFile(join(directory, 'default-0123456789ab.published.json'), '{"schema":2}');
    const others = await of('/home/somebody/copy/auth.json').loadOthers();
    expect(others.map(({ generation }) => generation)).toEqual([7]);
  });

  it('is missed by them where it may be read later: it may tell of tokens that must not be sent', async () => {
    const directory = await scratchDir();
    const home = join(directory, `${stateName('default', '/home/somebody/.codex/auth.json')}.json`);
    const failing = (code: string): Promise<unknown> => {
      const open = (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
      return new RecordStore({ ...systemFileSystem, open }, directory, 'default').loadOthers();
    };
    await writeFile(home, JSON.stringify({ ...EMPTY_RECORD, generation: 7 }));
    for (const code of ['EMFILE', 'EIO', 'ESTALE'])
      await expect(failing(code), code).rejects.toMatchObject({ code });
    // Another user's, or gone.
    for (const code of ['EACCES', 'EPERM', 'ENOENT']) expect(await failing(code), code).toEqual([]);
    await writeFile(home, '{"schema":2}');
    const store = new RecordStore(systemFileSystem, directory, 'default');
    await expect(store.loadOthers()).rejects.toMatchObject({ code: 'storage' });
  });

  it('is never half of what another daemon writes, which has the lock by now', async () => {
    const directory = await scratchDir();
    const store = new RecordStore(systemFileSystem, directory, 'default');
    await store.save({ ...EMPTY_RECORD, generation: 7 });
    const slow: FileSystem = {
      ...systemFileSystem,
      open: async (path, flags, mode) => {
        const file = await systemFileSystem.open(path, flags, mode);
        // It stands still while it writes, and the other one begins.
        const sync = async (): Promise<void> => {
          await file.sync();
          await rm(path);
          await writeFile(path, '{"schema":1,"generation":8,');
        };
        return path.endsWith('.new') ? { ...file, sync } : file;
      },
    };
    const late = new RecordStore(slow, directory, 'default').save({ ...EMPTY_RECORD, generation: 6 });
    await expect(late).rejects.toThrow('somebody else');
    expect(await store.load()).toMatchObject({ generation: 7 });
    // Nor does it take away what that one is writing.
    expect(await readdir(directory)).toContain('default.json.new');
  });

  it('leaves nothing beside it when it cannot be written', async () => {
    const directory = await scratchDir();
    const fs: FileSystem = { ...systemFileSystem, rename: () => Promise.reject(new Error('EIO: planted')) };
    await expect(new RecordStore(fs, directory, 'default').save(EMPTY_RECORD)).rejects.toThrow('EIO');
    expect(await readdir(directory)).toEqual([]);
  });

  it('is none of ours to read or write over when a later version wrote it', async () => {
    const directory = await scratchDir();
    const store = new RecordStore(
      systemFileSystem,
      directory,
      stateName('default', '/home/somebody/auth.json'),
    );
    const renamed = join(directory, `${stateName('old', '/home/somebody/auth.json')}.json`);
    await writeFile(renamed, '{"schema":2}');
    await expect(store.load()).rejects.toMatchObject({
      code: 'storage',
      hint: 'install the version that wrote it, or a later one',
    });
  });

  it.each(['', '{', '{"schema":0}', '[]'])('is refused when it is none of ours: %j', async (text) => {
    const directory = await scratchDir();
    await writeFile(join(directory, 'default.json'), text);
    await expect(new RecordStore(systemFileSystem, directory, 'default').load()).rejects.toThrow();
  });
});
