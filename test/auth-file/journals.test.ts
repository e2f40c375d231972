import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Journal } from '../../src/auth-file/journal.js';
import { Journals } from '../../src/auth-file/journals.js';
import { AccountLock } from '../../src/auth-file/lock.js';
import { sharedLocks } from '../../src/auth-file/shared-lock.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { VirtualClock } from '../keeper/virtual-clock.js';
import { scratchDir } from '../support/scratch-dir.js';

const HOUR = 3600 * 1000;
const INTENT = { spent: '0123456789ab', startedAtMs: 1_795_000_000_000 };

function lockOf(path: string, stateDirectory: string): AccountLock {
  const lock = new AccountLock({
    path,
    stateDirectory,
    socket: '/nowhere.sock',
    fs: systemFileSystem,
    clock: systemClock,
    sharedLocks,
    machine: 'this one',
    onLost: () => undefined,
  });
  onTestFinished(() => lock.release());
  return lock;
}

it('a daemon that stops with a rotation unsettled says where, and its successor finds it there', async () => {
  const path = join(await scratchDir(), 'auth.json');
  const [one, two] = [await scratchDir(), await scratchDir()];
  const first = lockOf(path, one);
  await first.ensure();
  const open = await new Journal(systemFileSystem, one, 'default', systemClock).begin(INTENT);
  open.record(Buffer.from('{}'));
  await open.close();
  await first.release(true);

  const second = lockOf(path, two);
  await second.ensure();
  expect(second.otherStates).toEqual([one]);
  const theirs = new Journal(systemFileSystem, one, 'default', systemClock);
  const journals = new Journals(
    new Journal(systemFileSystem, two, 'default', systemClock),
    () => [theirs],
    systemClock,
  );
  expect(await journals.read()).toMatchObject([{ spent: INTENT.spent, answer: '{}', isDurable: true }]);
  await journals.clear(INTENT.spent);
  expect(await readdir(one)).toEqual([]);
});

it('one that has settled everything leaves no word, and what is gone tells nothing', async () => {
  const path = join(await scratchDir(), 'auth.json');
  const gone = join(await scratchDir(), 'gone');
  await mkdir(gone);
  const first = lockOf(path, gone);
  await first.ensure();
  await first.release();
  expect(await readdir(join(path, '..'))).toEqual([]);

  await first.ensure();
  await first.release(true);
  await rm(gone, { recursive: true });
  const second = lockOf(path, await scratchDir());
  await second.ensure();
  expect(second.otherStates).toEqual([gone]);
  const own = await scratchDir();
  const journals = new Journals(
    new Journal(systemFileSystem, own, 'default', systemClock),
    () =>
      second.otherStates.map((directory) => new Journal(systemFileSystem, directory, 'default', systemClock)),
    systemClock,
  );
  expect(await journals.read()).toEqual([]);
  await (await journals.begin(INTENT)).close();
  await journals.clear(INTENT.spent);
  expect(await readdir(own)).toEqual([]);
});

describe('what is there and cannot be read for now', () => {
  /** Journals with an answer in the directory of a daemon that was killed, which is read in vain while there is a `code`. */
  async function closedJournals() {
    const theirs = await scratchDir();
    const open = await new Journal(systemFileSystem, theirs, 'default', systemClock).begin(INTENT);
    open.record(Buffer.from('{}'));
    await open.close();
    const disk = { code: 'EIO' as string | null };
    const fs: FileSystem = {
      ...systemFileSystem,
      readdir: (path) => {
        const { code } = disk;
        if (code === null) return systemFileSystem.readdir(path);
        return Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }));
      },
    };
    const clock = new VirtualClock(INTENT.startedAtMs);
    const own = new Journal(systemFileSystem, await scratchDir(), 'default', clock);
    const other = new Journal(fs, theirs, 'default', clock);
    return { disk, clock, journals: new Journals(own, () => [other], clock) };
  }

  it('is no empty directory: it may hold the only copy of a login', async () => {
    const { disk, clock, journals } = await closedJournals();
    await expect(journals.read()).rejects.toThrow('EIO');
    await clock.advance(24 * HOUR);
    await expect(journals.read()).rejects.toThrow('EIO');
    disk.code = null;
    expect(await journals.read()).toMatchObject([{ spent: INTENT.spent, answer: '{}' }]);
  });

  it('is what another user keeps for himself, if it has been closed for an hour', async () => {
    const { disk, clock, journals } = await closedJournals();
    disk.code = 'EACCES';
    await expect(journals.read()).rejects.toThrow('EACCES');
    await clock.advance(HOUR / 2);
    disk.code = null;
    expect(await journals.read()).toHaveLength(1);
    disk.code = 'EACCES';
    await clock.advance(HOUR - 1);
    await expect(journals.read()).rejects.toThrow('EACCES');
    await clock.advance(HOUR);
    expect(await journals.read()).toEqual([]);
  });
});
