import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Journal } from '../../src/auth-file/journal.js';
import { Journals } from '../../src/auth-file/journals.js';
import { AccountLock } from '../../src/auth-file/lock.js';
import { sharedLocks } from '../../src/auth-file/shared-lock.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

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
  const journals = new Journals(new Journal(systemFileSystem, two, 'default', systemClock), () => [theirs]);
  expect(await journals.read()).toMatchObject([{ spent: INTENT.spent, answer: '{}', isDurable: true }]);
  await journals.clear(INTENT.spent);
  expect(await readdir(one)).toEqual([]);
});

it('one that has settled everything leaves no word, and what cannot be read tells nothing', async () => {
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
  const journals = new Journals(new Journal(systemFileSystem, own, 'default', systemClock), () =>
    second.otherStates.map((directory) => new Journal(systemFileSystem, directory, 'default', systemClock)),
  );
  expect(await journals.read()).toEqual([]);
  await (await journals.begin(INTENT)).close();
  await journals.clear(INTENT.spent);
  expect(await readdir(own)).toEqual([]);
});
