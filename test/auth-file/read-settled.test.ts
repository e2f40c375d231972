import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSettled } from '../../src/auth-file/read-settled.js';
import type { Clock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

/** A clock on which every pause is over at once, after something has happened in it. */
function clockWith(...happenings: (() => Promise<void>)[]): Clock & { readonly pauses: () => number } {
  let pauses = 0;
  return {
    now: () => 0,
    monotonicMs: () => 0,
    after(_delayMs, wake) {
      const happen = happenings[pauses] ?? (() => Promise.resolve());
      pauses += 1;
      void happen().then(wake);
      return () => undefined;
    },
    pauses: () => pauses,
  };
}

describe('reading an auth.json that may be in the middle of a write', () => {
  it('believes a whole document at once', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{}');
    const clock = clockWith();
    expect(await readSettled(systemFileSystem, path, clock)).toMatchObject({ kind: 'text', text: '{}' });
    expect(clock.pauses()).toBe(0);
  });

  it('waits for the second half of a file that is torn', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{"tok');
    const clock = clockWith(() => writeFile(path, '{"tokens":{}}'));
    expect(await readSettled(systemFileSystem, path, clock)).toMatchObject({ text: '{"tokens":{}}' });
  });

  it('believes that a file is torn for good when it stays the same', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{"tok');
    const clock = clockWith();
    expect(await readSettled(systemFileSystem, path, clock)).toMatchObject({ kind: 'text', text: '{"tok' });
    expect(clock.pauses()).toBe(1);
  });

  it('does not believe in the absence of a file that was there in between', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const comeAndGo = async (): Promise<void> => {
      await writeFile(path, '{}');
      await rm(path);
    };
    const clock = clockWith(comeAndGo, () => writeFile(path, '{}'));
    expect(await readSettled(systemFileSystem, path, clock)).toMatchObject({ kind: 'text', text: '{}' });
    expect(clock.pauses()).toBe(2);
  });

  it('believes in the absence of a file in a directory where others are busy all the time', async () => {
    const directory = await scratchDir();
    const busy = (n: number) => () => writeFile(join(directory, `session-${String(n)}`), '');
    const clock = clockWith(...[1, 2, 3, 4, 5, 6].map(busy));
    const reading = await readSettled(systemFileSystem, join(directory, 'auth.json'), clock);
    expect(reading).toMatchObject({ kind: 'absent' });
  });

  it('says nothing of a file that is torn differently each time', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '{');
    const tear = (n: number) => () => writeFile(path, `{"tok${'x'.repeat(n)}`);
    const clock = clockWith(...[1, 2, 3, 4, 5, 6].map(tear));
    expect(await readSettled(systemFileSystem, path, clock)).toEqual({ kind: 'unsettled' });
  });
});
