import * as fs from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Lease, type FileCalls } from '../../src/auth-file/lease.js';
import { sharedLocksBy } from '../../src/auth-file/shared-lock.js';
import { makeDeferred } from '../support/deferred.js';
import { scratchDir } from '../support/scratch-dir.js';

const STALE_MS = 10_000;
const TAKEN = new Date(1_000_123);
const RENEWED = new Date(1_002_623);

type Answer = () => void;

/** A directory on a disk that does at once what it is asked, and answers when the test says so. */
class Disk {
  mtimeMs = 0;
  failure: Error | null = null;
  readonly stats: Answer[] = [];
  readonly renewals: Answer[] = [];
  readonly calls: FileCalls = {
    ...fs,
    stat: (_path, done) => {
      const { mtimeMs, failure } = this;
      this.stats.push(() => {
        done(failure, { mtimeMs });
      });
    },
    utimes: (_path, _accessed, modified, done) => {
      const { failure } = this;
      if (failure === null) this.mtimeMs = modified.getTime();
      this.renewals.push(() => {
        done(failure);
      });
    },
  };
}

/** A lease that is held, as the disk has it. */
function held(): { disk: Disk; lease: Lease; renew: (at: Date) => void } {
  const disk = new Disk();
  const lease = new Lease('/lease', STALE_MS, disk.calls);
  const { utimes } = lease.fileCalls;
  const renew = (at: Date): void => {
    utimes('/lease', at, at, () => undefined);
  };
  lease.hold();
  renew(TAKEN);
  disk.renewals.shift()?.();
  return { disk, lease, renew };
}

describe('a lease that is just being renewed', () => {
  it('is ours where the look comes to the disk after the renewal, and is answered before it', async () => {
    const { disk, lease, renew } = held();
    renew(RENEWED);
    const look = lease.isOurs();
    disk.stats.shift()?.();
    expect(await look).toBe(true);
  });

  it('is ours where the look comes to the disk before the renewal, and is answered after it', async () => {
    const { disk, lease, renew } = held();
    const look = lease.isOurs();
    renew(RENEWED);
    disk.renewals.shift()?.();
    disk.stats.shift()?.();
    await nextTurn();
    disk.stats.shift()?.();
    expect(await look).toBe(true);
  });

  it('is ours by the old time where the renewal fails', async () => {
    const { disk, lease, renew } = held();
    disk.failure = new Error('EIO: it failed');
    renew(RENEWED);
    disk.failure = null;
    disk.renewals.shift()?.();
    const look = lease.isOurs();
    disk.stats.shift()?.();
    expect(await look).toBe(true);
  });

  it('is another one’s where it has neither time, after a second look', async () => {
    const { disk, lease, renew } = held();
    renew(RENEWED);
    disk.mtimeMs = 1_001_456;
    const look = lease.isOurs();
    disk.stats.shift()?.();
    await nextTurn();
    disk.stats.shift()?.();
    expect(await look).toBe(false);
  });
});

it('a look at a lease that fails once is made again', async () => {
  const { disk, lease } = held();
  disk.failure = new Error('EIO: it failed');
  const look = lease.isOurs();
  disk.failure = null;
  disk.stats.shift()?.();
  await nextTurn();
  disk.stats.shift()?.();
  expect(await look).toBe(true);
});

it('a lock stays lost that was told to be lost while somebody looked', async () => {
  const path = join(await scratchDir(), 'lease');
  const [isLost, isSeen] = [makeDeferred<Error>(), makeDeferred<undefined>()];
  let isHeldUp = false;
  const calls: FileCalls = {
    ...fs,
    stat: (at, done) => {
      const isLate = isHeldUp;
      isHeldUp = false;
      fs.stat(at, (error, stats) => {
        if (isLate) isSeen.resolve(undefined);
        void (isLate ? isLost.promise : Promise.resolve()).then(() => {
          done(error, stats);
        });
      });
    },
  };
  const lock = await sharedLocksBy(calls).take(path, isLost.resolve);
  isHeldUp = true;
  const look = lock?.confirm();
  await isSeen.promise;
  await rm(path, { recursive: true });
  expect([await look, lock?.isCompromised]).toEqual([false, true]);
});
