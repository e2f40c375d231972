import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Journal, type Unfinished } from '../../src/auth-file/journal.js';
import type { OpenJournal } from '../../src/auth-file/open-journal.js';
import { recover } from '../../src/keeper/recover.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

const INTENT = { spent: '0123456789ab', startedAtMs: 1_795_000_000_000 };

/** What is found of a journal of one's own. */
function found(answer: string): Unfinished {
  return { spent: INTENT.spent, answer, startedAtMs: INTENT.startedAtMs, isDurable: true, isOwn: true };
}

it('one journal is left of a token that was sent again and again', async () => {
  const directory = await scratchDir();
  const journal = new Journal(systemFileSystem, directory, 'default', systemClock);
  for (let time = 0; time < 3; time += 1) await (await journal.begin(INTENT)).close();
  expect(await readdir(directory)).toHaveLength(1);
});

it('one that is being begun is none that was never begun: a look at what was left does not take it away', async () => {
  const directory = await scratchDir();
  const sweeps: Promise<void>[] = [];
  const fs: FileSystem = {
    ...systemFileSystem,
    open: async (path, flags, mode) => {
      const file = await systemFileSystem.open(path, flags, mode);
      // It is there, and empty.
      if (path.endsWith('.journal') && sweeps.length === 0) {
        sweeps.push(journal.sweep());
        await Promise.all(sweeps);
      }
      return file;
    },
  };
  const journal = new Journal(fs, directory, 'default', systemClock);
  await (await journal.begin(INTENT)).close();
  expect(await readdir(directory)).toHaveLength(1);
});

it('an intent that is durable stays, though the one before it cannot be removed', async () => {
  const directory = await scratchDir();
  const disk = { isFailing: false };
  const fs: FileSystem = {
    ...systemFileSystem,
    unlink: (path) => (disk.isFailing ? Promise.reject(new Error('EIO')) : systemFileSystem.unlink(path)),
  };
  const journal = new Journal(fs, directory, 'default', systemClock);
  await (await journal.begin(INTENT)).close();
  disk.isFailing = true;
  await (await journal.begin(INTENT)).close();
  disk.isFailing = false;
  expect(await readdir(directory)).toHaveLength(2);
  await journal.clear(INTENT.spent);
  expect(await readdir(directory)).toEqual([]);
});

describe('the journals of two daemons of which one has lost the lock and does not know it', () => {
  const ANSWER = '{"access_token":"a","refresh_token":"b"}';

  /** A daemon that was stopped when it had written its intent, and the one that has taken the lock since. */
  async function overtaken(): Promise<{ loser: Journal; winner: Journal; mine: OpenJournal }> {
    const directory = await scratchDir();
    const [loser, winner] = [1, 2].map(
      () => new Journal(systemFileSystem, directory, 'default', systemClock),
    );
    if (loser === undefined || winner === undefined) throw new Error('two of them');
    return { loser, winner, mine: await loser.begin(INTENT) };
  }

  it('the loser removes its own when it gives up, and never the winner’s', async () => {
    const { loser, winner, mine } = await overtaken();
    expect(await winner.read()).toEqual([found('')]);
    const theirs = await winner.begin(INTENT);
    theirs.record(Buffer.from(ANSWER));
    await theirs.seal();
    await theirs.close();
    await loser.clear(INTENT.spent);
    await mine.close();
    expect(await winner.read()).toEqual([found(ANSWER)]);
  });

  it('the winner finds the loser’s answer, also when it has begun with the same token since', async () => {
    const { winner, mine } = await overtaken();
    await winner.read();
    await (await winner.begin(INTENT)).close();
    mine.record(Buffer.from(ANSWER));
    await mine.seal();
    await mine.close();
    expect(await recover(winner, INTENT.startedAtMs)).toMatchObject([{ kind: 'harvest' }]);
    await winner.clear(INTENT.spent);
    expect(await winner.read()).toEqual([]);
  });

  it('the winner removes what it has read when the matter is settled, and the loser’s seal says so', async () => {
    const { winner, mine } = await overtaken();
    await winner.read();
    await winner.clear(INTENT.spent);
    mine.record(Buffer.from(ANSWER));
    await expect(mine.seal()).rejects.toThrow('the journal has been removed');
    await mine.close();
    expect(await winner.read()).toEqual([]);
  });

  it('the loser removes nothing that the winner is beginning, once it knows that it has lost', async () => {
    const directory = await scratchDir();
    const lock = { held: true };
    const loser = new Journal(systemFileSystem, directory, 'default', systemClock, () => lock.held);
    await writeFile(join(directory, 'default.aaaaaaaa.0123456789ab.journal'), '');
    lock.held = false;
    await loser.sweep();
    expect(await readdir(directory)).toHaveLength(1);
    lock.held = true;
    await loser.sweep();
    expect(await readdir(directory)).toEqual([]);
  });

  it('what the winner has not read stays until it is', async () => {
    const { winner, mine } = await overtaken();
    await (await winner.begin(INTENT)).close();
    mine.record(Buffer.from(ANSWER));
    await mine.seal();
    await mine.close();
    await winner.clear(INTENT.spent);
    expect(await winner.read()).toEqual([found(ANSWER)]);
    await winner.clear(INTENT.spent);
    expect(await winner.read()).toEqual([]);
  });

  it.each(['', 'too many requests'])(
    'of two for one token the one with the tokens tells, not "%s"',
    async (said) => {
      const { winner, mine } = await overtaken();
      mine.record(Buffer.from(ANSWER));
      await mine.close();
      const theirs = await winner.begin(INTENT);
      theirs.record(Buffer.from(said));
      await theirs.close();
      expect(await recover(winner, INTENT.startedAtMs)).toMatchObject([{ kind: 'harvest' }]);
    },
  );
});
