import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Journal, type Unfinished } from '../../src/auth-file/journal.js';
import { systemClock, type Clock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';
import { recordingFileSystem } from './recording-fs.js';

/** What is found of a journal of one's own. */
function found(answer: string, spent = INTENT.spent): Unfinished {
  return { spent, answer, startedAtMs: INTENT.startedAtMs, isDurable: true, isOwn: true };
}

/** A file system that fails to write at once: the first time, always, or by writing only a part. */
function failingToWrite(how: 'once' | 'a part' | 'for ever'): FileSystem {
  return {
    ...systemFileSystem,
    open: async (path, flags, mode) => {
      const file = await systemFileSystem.open(path, flags, mode);
      let isFirst = true;
      let isAnswering = false;
      return {
        ...file,
        writeNow(bytes, at) {
          isAnswering = true;
          const isFailing = isFirst || how === 'for ever';
          isFirst = false;
          if (!isFailing) return file.writeNow(bytes, at);
          if (how === 'a part') return file.writeNow(bytes.subarray(1), at);
          throw new Error('EIO: planted');
        },
        write: (bytes, at) =>
          isAnswering && how === 'for ever'
            ? Promise.reject(new Error('EIO: planted'))
            : file.write(bytes, at),
      };
    },
  };
}

/** The path of the journal in a directory where there is one. */
async function journalIn(directory: string): Promise<string> {
  const [name, ...others] = await readdir(directory);
  expect([others, name]).toEqual([[], expect.stringMatching(JOURNAL_NAME)]);
  return join(directory, name ?? '');
}

const JOURNAL_NAME = /^default\.[0-9a-f]{8}\.0123456789ab\.journal$/;

const INTENT = { spent: '0123456789ab', startedAtMs: 1_795_000_000_000 };

describe('the journal of a rotation', () => {
  it('tells a successor the intent, and as much of the answer as had come', async () => {
    const directory = join(await scratchDir(), 'state');
    const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
    const successor = new Journal(systemFileSystem, directory, 'default', systemClock);
    expect(await successor.read()).toEqual([]);
    const open = await journal.begin(INTENT);
    expect(await successor.read()).toEqual([found('')]);
    open.record(Buffer.from('{"access_token":"ä'));
    expect(await successor.read()).toEqual([found('{"access_token":"ä')]);
    open.record(Buffer.from('"}'));
    await open.seal();
    await open.close();
    expect(await successor.read()).toEqual([found('{"access_token":"ä"}')]);
    expect((await stat(await journalIn(directory))).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    await journal.clear(INTENT.spent);
    await journal.clear(INTENT.spent);
    expect(await readdir(directory)).toEqual([]);
  });

  it('tells its own daemon nothing while it is at work, and what it holds once that is over', async () => {
    const journal = new Journal(systemFileSystem, await scratchDir(), 'default', systemClock);
    const open = await journal.begin(INTENT);
    open.record(Buffer.from('{"access_token":"new"}'));
    expect(await journal.read()).toEqual([]);
    await open.seal();
    await open.close();
    expect(await journal.read()).toEqual([found('{"access_token":"new"}')]);
  });

  it('is removed alone where nothing was sent: another one may hold the answer to the same token', async () => {
    const directory = await scratchDir();
    const theirs = await new Journal(systemFileSystem, directory, 'default', systemClock).begin(INTENT);
    theirs.record(Buffer.from('{"access_token":"theirs"}'));
    await theirs.seal();
    await theirs.close();
    const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
    const ours = await journal.begin(INTENT);
    expect(await journal.read()).toEqual([found('{"access_token":"theirs"}')]);
    await ours.discard();
    await ours.close();
    expect(await journal.read()).toEqual([found('{"access_token":"theirs"}')]);
    await journalIn(directory);
  });

  it('tells nothing any more once it is settled, though it cannot be removed yet', async () => {
    const directory = await scratchDir();
    let isReadOnly = true;
    const fs: FileSystem = {
      ...systemFileSystem,
      unlink: (path) =>
        isReadOnly
          ? Promise.reject(Object.assign(new Error('EROFS: planted'), { code: 'EROFS' }))
          : systemFileSystem.unlink(path),
    };
    const journal = new Journal(fs, directory, 'default', systemClock);
    await (await journal.begin(INTENT)).close();
    await expect(journal.clear(INTENT.spent)).rejects.toThrow('EROFS');
    expect(await journal.read()).toEqual([]);
    await journalIn(directory);
    isReadOnly = false;
    expect(await journal.read()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('says so where it cannot read one: that may hold the only copy of a login', async () => {
    const directory = await scratchDir();
    await mkdir(join(directory, 'default.aaaaaaaaaaaa.journal'));
    const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
    await expect(journal.read()).rejects.toMatchObject({ code: 'EISDIR' });
    const ofAnotherHome = new Journal(systemFileSystem, directory, 'other', systemClock);
    expect(await ofAnotherHome.read()).toEqual([]);
  });

  it('says so, too, of one that another version wrote in a way of its own, and leaves it', async () => {
    const directory = await scratchDir();
    const path = join(directory, `default.1234abcd.${INTENT.spent}.journal`);
    await writeFile(path, JSON.stringify({ schema: 2, token: INTENT.spent }).padEnd(4096));
    const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
    await expect(journal.read()).rejects.toMatchObject({ code: 'storage' });
    await (await journal.begin({ ...INTENT, spent: 'ba9876543210' })).close();
    expect(await readdir(directory)).toContain(basename(path));
  });

  it('goes with the next one that is begun, where it could be neither begun nor removed itself', async () => {
    const directory = await scratchDir();
    await writeFile(join(directory, 'default.aaaaaaaaaaaa.journal'), '');
    const open = await new Journal(systemFileSystem, directory, 'default', systemClock).begin(INTENT);
    await open.close();
    await journalIn(directory);
  });

  it('tells what was written for another home as well, since a link may lead to the same file', async () => {
    const directory = await scratchDir();
    const open = await new Journal(systemFileSystem, directory, 'other', systemClock).begin(INTENT);
    open.record(Buffer.from('{}'));
    await open.close();
    const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
    expect(await journal.read()).toEqual([{ ...found('{}'), isOwn: false }]);
    await journal.clear(INTENT.spent);
    expect(await readdir(directory)).toEqual([]);
  });

  it('makes durable what a daemon recorded that was killed before it could do so', async () => {
    const directory = await scratchDir();
    const open = await new Journal(systemFileSystem, directory, 'default', systemClock).begin(INTENT);
    open.record(Buffer.from('{}'));
    await open.close();
    const synced: string[] = [];
    let failure: Error | null = null;
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (path, flags, mode) => {
        const file = await systemFileSystem.open(path, flags, mode);
        return {
          ...file,
          sync: () => {
            synced.push(path);
            return failure === null ? file.sync() : Promise.reject(failure);
          },
        };
      },
    };
    const journal = new Journal(fs, directory, 'default', systemClock);
    expect(await journal.read()).toEqual([found('{}')]);
    expect(synced).toEqual([await journalIn(directory)]);
    failure = new Error('EIO: planted');
    expect(await journal.read()).toEqual([{ ...found('{}'), isDurable: false }]);
  });

  it('writes it once more: of what a sync has failed for, a later one says nothing', async () => {
    const directory = await scratchDir();
    const open = await new Journal(systemFileSystem, directory, 'default', systemClock).begin(INTENT);
    open.record(Buffer.from('{}'));
    await open.close();
    const done: string[] = [];
    const fs: FileSystem = {
      ...systemFileSystem,
      open: async (path, flags, mode) => {
        const file = await systemFileSystem.open(path, flags, mode);
        return {
          ...file,
          write: (bytes, position) => {
            done.push(`write ${Buffer.from(bytes).toString()}`);
            return file.write(bytes, position);
          },
          sync: () => {
            done.push('sync');
            return file.sync();
          },
        };
      },
    };
    expect(await new Journal(fs, directory, 'default', systemClock).read()).toEqual([found('{}')]);
    expect(done).toEqual(['write {}', 'sync']);
  });

  it('has the space for the largest answer before anything is sent', async () => {
    const directory = await scratchDir();
    const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
    const open = await journal.begin(INTENT);
    const before = await stat(await journalIn(directory));
    open.record(Buffer.alloc(1024 * 1024, 'x'));
    await open.seal();
    const after = await stat(await journalIn(directory));
    expect([after.size, after.blocks]).toEqual([before.size, before.blocks]);
    await open.close();
    expect((await journal.read())[0]?.answer).toHaveLength(1024 * 1024);
  });

  it('records with one system call and does not throw when that fails; the seal tells if it fails again', async () => {
    const open = await new Journal(
      failingToWrite('for ever'),
      await scratchDir(),
      'default',
      systemClock,
    ).begin(INTENT);
    open.record(Buffer.from('{}'));
    await expect(open.seal()).rejects.toThrow('EIO');
    await open.close();
  });

  it.each(['once', 'a part'] as const)(
    'writes the whole answer again with the seal if recording a piece has failed: %s',
    async (how) => {
      const directory = await scratchDir();
      const open = await new Journal(failingToWrite(how), directory, 'default', systemClock).begin(INTENT);
      for (const piece of ['{"access_', 'token":"a', 'bc"}']) open.record(Buffer.from(piece));
      await open.seal();
      await open.close();
      expect(await new Journal(systemFileSystem, directory, 'default', systemClock).read()).toEqual([
        found('{"access_token":"abc"}'),
      ]);
    },
  );

  it('outlives the one before it, of the same token, at every moment', async () => {
    const directory = await scratchDir();
    const counts: number[] = [];
    const counting: FileSystem = {
      ...systemFileSystem,
      unlink: async (path) => {
        counts.push((await new Journal(systemFileSystem, directory, 'default', systemClock).read()).length);
        await systemFileSystem.unlink(path);
      },
    };
    const journal = new Journal(counting, directory, 'default', systemClock);
    await (await journal.begin(INTENT)).close();
    await (await journal.begin(INTENT)).close();
    expect(counts).toEqual([2]);
    expect(await journal.read()).toHaveLength(1);
  });

  it('is there, and is gone, for good: its directory is synced before it is used, and after it was removed', async () => {
    const directory = await scratchDir();
    const { fs, steps } = recordingFileSystem();
    const journal = new Journal(fs, directory, 'default', systemClock);
    const open = await journal.begin(INTENT);
    const path = await journalIn(directory);
    expect(steps.splice(0)).toEqual([`sync ${path}`, `sync ${directory}`]);
    await open.seal();
    expect(steps.splice(0)).toEqual([`sync ${path}`]);
    await open.close();
    await journal.clear(INTENT.spent);
    expect(steps).toEqual([`unlink ${path}`, `sync ${directory}`]);
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
    await expect(new Journal(fs, directory, 'default', systemClock).begin(INTENT)).rejects.toThrow('ENOSPC');
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ['empty', ''],
    ['nonsense', 'nonsense'],
    ['half', '{"spent":"0123456789ab","sta'],
    ['blank', ' '.repeat(5000)],
  ])(
    'that was never synced (%s) tells that nothing was sent, and is swept up by whoever has the lock',
    async (_, text) => {
      const directory = await scratchDir();
      await writeFile(join(directory, `default.${INTENT.spent}.journal`), text);
      await writeFile(join(directory, 'other.aaaaaaaaaaaa.journal'), text);
      const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
      expect(await journal.read()).toEqual([]);
      await journal.sweep();
      expect(await readdir(directory)).toEqual(['other.aaaaaaaaaaaa.journal']);
    },
  );
});

describe('a journal that was written under another name', () => {
  const DAY_MS = 24 * 3600 * 1000;

  /** A clock that is ahead by what it has been `moved`. */
  function movable(): { readonly clock: Clock; move: (byMs: number) => void } {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs, monotonicMs: () => aheadMs };
    return { clock, move: (byMs) => (aheadMs += byMs) };
  }

  async function written(): Promise<string> {
    const directory = await scratchDir();
    const open = await new Journal(systemFileSystem, directory, 'other', systemClock).begin(INTENT);
    open.record(Buffer.from('{}'));
    await open.close();
    const [name = ''] = await readdir(directory);
    const aMinuteAgo = new Date(Date.now() - 60_000);
    await utimes(join(directory, name), aMinuteAgo, aMinuteAgo);
    return directory;
  }

  it('is as good as ours once nobody has read it for 30 days under its own, whoever that was', async () => {
    const directory = await written();
    const { clock, move } = movable();
    const journal = new Journal(systemFileSystem, directory, 'default', clock);
    expect(await journal.read()).toMatchObject([{ isOwn: false }]);
    move(29 * DAY_MS);
    expect(await journal.read()).toMatchObject([{ isOwn: false }]);
    move(2 * DAY_MS);
    expect(await journal.read()).toMatchObject([{ isOwn: true }]);
  });

  it('is not, for one who has only just come: his clock may be wrong', async () => {
    const directory = await written();
    const { clock, move } = movable();
    move(900 * DAY_MS);
    const journal = new Journal(systemFileSystem, directory, 'default', clock);
    expect(await journal.read()).toMatchObject([{ isOwn: false }]);
    expect(await journal.read()).toMatchObject([{ isOwn: false }]);
  });

  it('is not while its account is kept, by whichever daemon: that says so each day', async () => {
    const directory = await written();
    const { clock, move } = movable();
    const [theirs, ours] = ['other', 'default'].map(
      (name) => new Journal(systemFileSystem, directory, name, clock),
    );
    await ours?.read();
    move(40 * DAY_MS);
    expect(await theirs?.read()).toEqual([found('{}')]);
    expect(await ours?.read()).toEqual([{ ...found('{}'), isOwn: false }]);
  });
});
