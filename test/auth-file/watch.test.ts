import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, onTestFinished } from 'vitest';
import { watchAuthFile } from '../../src/auth-file/watch.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

/** Watches until the test is over; `next` resolves when the file is said to be dirty. */
async function watching(path: string): Promise<{ next: () => Promise<void> }> {
  let notice: () => void = () => undefined;
  const watch = await watchAuthFile({
    path,
    fs: systemFileSystem,
    clock: systemClock,
    onDirty: () => {
      notice();
    },
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => watch.close());
  return {
    next: () =>
      new Promise((resolve) => {
        notice = resolve;
      }),
  };
}

describe('watching an auth.json', () => {
  it('notices that it is written in place, replaced again and again, deleted and made anew', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeFile(path, '1');
    const { next } = await watching(path);
    const changes = [
      () => writeFile(path, '22'),
      () => replace(path, '333'),
      () => replace(path, '4444'),
      () => rm(path),
      () => writeFile(path, '55555'),
      () => writeFile(path, '666666'),
    ];
    for (const change of changes) {
      const noticed = next();
      await change();
      await noticed;
    }
  });

  it('notices it when its directories are made one after the other, and after they were removed', async () => {
    const parent = await scratchDir();
    const home = join(parent, 'a', 'codex');
    const { next } = await watching(join(home, 'auth.json'));
    for (let round = 0; round < 2; round += 1) {
      for (const make of [() => mkdir(join(parent, 'a')), () => mkdir(home)]) {
        const noticed = next();
        await make();
        await noticed;
      }
      const written = next();
      await writeFile(join(home, 'auth.json'), String(round));
      await written;
      const removed = next();
      await rm(join(parent, 'a'), { recursive: true });
      await removed;
    }
  });

  it('works in a home that is itself a symbolic link', async () => {
    const [real, parent] = [await scratchDir(), await scratchDir()];
    await symlink(real, join(parent, 'codex'));
    const { next } = await watching(join(parent, 'codex', 'auth.json'));
    const noticed = next();
    await writeFile(join(real, 'auth.json'), '1');
    await noticed;
  });

  it('follows a symbolic link, also when it is turned elsewhere', async () => {
    const home = await scratchDir();
    const [first, second] = [join(await scratchDir(), 'x.json'), join(await scratchDir(), 'y.json')];
    await symlink(first, join(home, 'auth.json'));
    const { next } = await watching(join(home, 'auth.json'));

    const made = next();
    await writeFile(first, '1');
    await made;

    const turned = next();
    await symlink(second, join(home, 'auth.json.new'));
    await rename(join(home, 'auth.json.new'), join(home, 'auth.json'));
    await turned;

    const written = next();
    await writeFile(second, '2');
    await written;
  });
});

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
