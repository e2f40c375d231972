import { constants } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeOwner, readOwner, writeOwner } from '../../src/auth-file/lock-owner.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

it('who has the lock can be read however long the paths of his state directories are', async () => {
  const path = join(await scratchDir(), 'owner');
  const states = Array.from({ length: 9 }, (_, index) => `/${String(index)}${'/directory'.repeat(400)}`);
  const owner = describeOwner({ machine: 'this one', flock: true, socket: '/its.sock', states }, 0);
  const file = await systemFileSystem.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  await writeOwner(file, owner);
  await file.close();
  expect(await readOwner(systemFileSystem, path)).toEqual(owner);
});
