import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as Chokidar from 'chokidar';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { watchAuthFile, type AuthFileWatch } from '../../src/auth-file/watch.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';
import { gate } from '../keeper/world.js';
import { scratchDir } from '../support/scratch-dir.js';

/** Every watcher that was made, and what happens to the next ones. */
const made = vi.hoisted(() => ({ watchers: [] as Chokidar.FSWatcher[], failures: [] as Error[] }));

vi.mock('chokidar', async (importOriginal) => {
  const chokidar = await importOriginal<typeof Chokidar>();
  const watch: typeof chokidar.watch = (...args) => {
    const watcher = chokidar.watch(...args);
    made.watchers.push(watcher);
    const failure = made.failures.shift();
    if (failure !== undefined) setImmediate(() => watcher.emit('error', failure));
    return watcher;
  };
  return { ...chokidar, watch };
});

beforeEach(() => {
  made.watchers = [];
  made.failures = [];
});

function open(): number {
  return made.watchers.filter(({ closed }) => !closed).length;
}

interface Watched {
  readonly watch: AuthFileWatch;
  readonly errors: unknown[];
  /** Resolves when the file is said to be dirty. */
  readonly next: () => Promise<void>;
}

async function watching(path: string, fs: FileSystem = systemFileSystem): Promise<Watched> {
  const errors: unknown[] = [];
  let notice: () => void = () => undefined;
  const watch = await watchAuthFile({
    path,
    fs,
    clock: systemClock,
    onDirty: () => {
      notice();
    },
    onError: (error) => errors.push(error),
  });
  onTestFinished(() => watch.close());
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      notice = resolve;
    });
  return { watch, errors, next };
}

/** A home with an auth.json, and how another one takes its place. */
async function home(): Promise<{ readonly path: string; readonly replace: () => Promise<void> }> {
  const parent = await scratchDir();
  const make = async (): Promise<void> => {
    await mkdir(join(parent, 'home'));
    await writeFile(join(parent, 'home', 'auth.json'), '{}');
  };
  await make();
  return {
    path: join(parent, 'home', 'auth.json'),
    async replace() {
      await rename(join(parent, 'home'), join(parent, 'old'));
      await make();
    },
  };
}

it('a watch that failed is made anew with the next recheck, and says once what it met', async () => {
  const { path } = await home();
  const failure = new Error('ENOSPC: too many watches');
  made.failures = [failure, failure];
  const { watch, errors, next } = await watching(path);
  await watch.recheck();
  expect(errors).toEqual([failure]);
  await watch.recheck();
  expect([made.watchers.length, open()]).toEqual([3, 1]);
  await watch.recheck();
  expect(made.watchers).toHaveLength(3);
  const noticed = next();
  await writeFile(path, '{"a":1}');
  await noticed;
});

it('one that fails later is made anew as well', async () => {
  const { path } = await home();
  const { watch, errors } = await watching(path);
  made.watchers[0]?.emit('error', new Error('EMFILE'));
  expect(errors).toHaveLength(1);
  await watch.recheck();
  expect([made.watchers.length, open()]).toEqual([2, 1]);
});

it('rechecks go one after the other, however many ask, and leave one watcher', async () => {
  const { path, replace } = await home();
  const { watch } = await watching(path);
  await replace();
  await Promise.all(Array.from({ length: 5 }, () => watch.recheck()));
  expect([made.watchers.length, open()]).toEqual([2, 1]);
});

it('a recheck that is under way when the watch is closed leaves no watcher behind', async () => {
  const { path, replace } = await home();
  const { open: goOn, opened } = gate();
  const { open: arrive, opened: arrived } = gate();
  let isHeld = false;
  const fs: FileSystem = {
    ...systemFileSystem,
    async realpath(name) {
      if (isHeld) {
        arrive();
        await opened;
      }
      return systemFileSystem.realpath(name);
    },
  };
  const { watch } = await watching(path, fs);
  await replace();
  isHeld = true;
  const rechecked = watch.recheck();
  await arrived;
  await watch.close();
  goOn();
  await rechecked;
  expect(open()).toBe(0);
});

it('nor does one that is arming the next watcher just then', async () => {
  const { path, replace } = await home();
  const { watch } = await watching(path);
  await replace();
  const rechecked = watch.recheck();
  while (made.watchers.length < 2) await new Promise(setImmediate);
  await watch.close();
  await rechecked;
  expect(open()).toBe(0);
});
