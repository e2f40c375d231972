import { constants } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeOwner, readOwner, putDown } from '../../src/auth-file/lock-owner.js';
import { systemFileSystem, type OpenFile } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

const SELF = { machine: 'this one', flock: true, socket: '/its.sock' };
const LONG = Array.from({ length: 9 }, (_, index) => `/${String(index)}${'/directory'.repeat(400)}`);

it('who has the lock can be read however long the paths of his state directories are', async () => {
  const path = join(await scratchDir(), 'owner');
  const owner = { ...describeOwner(SELF, 0), states: LONG };
  await change(path, (file) => putDown(systemFileSystem, path, file, owner));
  expect(await readOwner(systemFileSystem, path)).toEqual(owner);
});

it('a shorter word leaves nothing of a longer one, and one that is too long to be read is none', async () => {
  const path = join(await scratchDir(), 'owner');
  const owner = { ...describeOwner(SELF, 0), states: ['/state'] };
  for (const before of [JSON.stringify({ states: LONG }), 'x'.repeat(100_000)]) {
    await writeFile(path, before);
    await change(path, (file) => putDown(systemFileSystem, path, file, owner));
    expect(await readOwner(systemFileSystem, path)).toEqual(owner);
  }
});

describe.each([
  ['of an older version', (path: string, states: string[]) => writeFile(path, JSON.stringify({ states }))],
  [
    'of this one',
    (path: string, states: string[]) =>
      change(path, (file) => putDown(systemFileSystem, path, file, { ...describeOwner(SELF, 0), states })),
  ],
])('the word of whoever had the lock before, %s', (_who, leave) => {
  it.each([
    ['as long', ['/its/state']],
    ['longer', LONG],
  ])(
    'tells where his journals are also if its successor is killed while he writes his own: %s',
    async (_length, states) => {
      const path = join(await scratchDir(), 'owner');
      const next = { ...describeOwner(SELF, 1), states: ['/its/state', ...states] };
      let isThrough = false;
      for (let last = 0; !isThrough; last += 1) {
        await leave(path, ['/its/state']);
        isThrough = await change(path, (file) =>
          putDown(systemFileSystem, path, killedAfter(last, file), next),
        ).then(
          () => true,
          () => false,
        );
        expect(await readFile(path, 'utf8')).toContain('"/its/state"');
        expect(JSON.parse(await readFile(path, 'utf8'))).toHaveProperty('states');
      }
      expect(await readOwner(systemFileSystem, path)).toEqual(next);
    },
  );

  it('is whole where the disk is full', async () => {
    const path = join(await scratchDir(), 'owner');
    await leave(path, ['/its/state']);
    const before: unknown = JSON.parse(await readFile(path, 'utf8'));
    const next = { ...describeOwner(SELF, 1), states: ['/its/state', ...LONG] };
    await expect(
      change(path, (file) => putDown(systemFileSystem, path, onFullDisk(file), next)),
    ).rejects.toThrow('ENOSPC');
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(before);
  });
});

async function change(path: string, work: (file: OpenFile) => Promise<void>): Promise<void> {
  const file = await systemFileSystem.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await work(file);
  } finally {
    await file.close();
  }
}

/** As a process leaves the file that is killed after so many changes. */
function killedAfter(count: number, file: OpenFile): OpenFile {
  let left = count;
  const unlessKilled = <T>(call: () => Promise<T>): Promise<T> =>
    (left -= 1) < 0 ? Promise.reject(new Error('killed')) : call();
  return {
    ...file,
    write: (bytes, position) => unlessKilled(() => file.write(bytes, position)),
    truncate: (length) => unlessKilled(() => file.truncate(length)),
    sync: () => unlessKilled(() => file.sync()),
  };
}

/** Of which only the blocks can be written that are there. */
function onFullDisk(file: OpenFile): OpenFile {
  return {
    ...file,
    async write(bytes, position) {
      const room = Math.ceil((await file.stat()).size / 4096) * 4096 - position;
      if (room <= 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      return file.write(bytes.subarray(0, room), position);
    },
  };
}
