import { basename, dirname, join } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import { systemErrorCode } from '../errors.js';
import type { Clock } from '../os/clock.js';
import type { FileSystem } from '../os/file-system.js';
import { locateRealFile } from './locate.js';

/** A file is read this long after its last event: chokidar loses the second of two changes within 50 ms (facts 5.2). */
const SETTLE_MS = 80;
/** A file that is written all the time is read at least this often. */
const LONGEST_SETTLE_MS = 400;

export interface AuthFileWatch {
  /** Looks whether the watched directories are still the same ones, and watches anew if not. */
  recheck(): Promise<void>;
  close(): Promise<void>;
}

export interface WatchOptions {
  readonly path: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** Something may have changed: read the file. */
  readonly onDirty: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Watches the directory of an auth.json, and of the real file where it is a symbolic link; where the directory is
 * not there yet, its nearest ancestor. An event means "dirty", nothing more. A watch on the file itself would go
 * deaf after the first rename (facts 5.2).
 */
export async function watchAuthFile(options: WatchOptions): Promise<AuthFileWatch> {
  const { path, fs, clock, onDirty, onError } = options;
  let watched = '';
  let watcher: FSWatcher | null = null;
  let closed = false;
  const settle = settleAfter(clock, () => {
    recheck().catch(onError).finally(onDirty);
  });

  async function recheck(): Promise<void> {
    const targets = await findTargets(fs, path);
    const signature = targets
      .map(({ directory, name, identity }) => [directory, name, identity].join())
      .join();
    if (closed || signature === watched) return;
    const isFirst = watched === '';
    watched = signature;
    await watcher?.close();
    watcher = await watchTargets(targets, settle.event, onError);
    if (!isFirst) settle.event();
  }

  await recheck();
  return {
    recheck,
    async close() {
      closed = true;
      settle.cancel();
      await watcher?.close();
    },
  };
}

/** An existing directory, and the name in it that matters. */
interface Target {
  readonly directory: string;
  readonly name: string;
  /** Changes when another directory takes the place of this one: the watch is stale then. */
  readonly identity: string;
}

async function findTargets(fs: FileSystem, path: string): Promise<Target[]> {
  const files = new Set([path, await locateRealFile(fs, path)]);
  return Promise.all([...files].map((file) => findTarget(fs, file)));
}

async function findTarget(fs: FileSystem, file: string): Promise<Target> {
  const directory = dirname(file);
  try {
    const real = await fs.realpath(directory);
    return { directory: real, name: basename(file), identity: (await fs.stat(real)).identity };
  } catch (error) {
    if (systemErrorCode(error) === undefined || dirname(directory) === directory) throw error;
    return findTarget(fs, directory);
  }
}

/** Resolves when the watch is armed. */
function watchTargets(
  targets: readonly Target[],
  onEvent: () => void,
  onError: (error: unknown) => void,
): Promise<FSWatcher> {
  const directories = [...new Set(targets.map(({ directory }) => directory))];
  const wanted = new Set([...directories, ...targets.map(({ directory, name }) => join(directory, name))]);
  const names = new Set(targets.map(({ name }) => name));
  const watcher = watch(directories, {
    depth: 0,
    ignoreInitial: true,
    atomic: false,
    // A link that is turned elsewhere is an event of its own; what it leads to is a target of its own.
    followSymlinks: false,
    ignored: (path) => !wanted.has(path),
  });
  watcher.on('all', onEvent);
  // A link that is turned to where nothing is yet makes no other event than the kernel's own.
  watcher.on('raw', (_event, name) => {
    if (names.has(basename(name))) onEvent();
  });
  watcher.on('error', onError);
  return new Promise((resolve) => {
    watcher.once('ready', () => {
      resolve(watcher);
    });
  });
}

interface Settle {
  readonly event: () => void;
  readonly cancel: () => void;
}

/** Calls `wake` when events have stopped for a moment, or have gone on for too long. */
function settleAfter(clock: Clock, wake: () => void): Settle {
  let cancelTimer: (() => void) | null = null;
  let firstAtMs: number | null = null;
  const cancel = (): void => {
    cancelTimer?.();
    cancelTimer = null;
    firstAtMs = null;
  };
  const event = (): void => {
    cancelTimer?.();
    firstAtMs ??= clock.monotonicMs();
    const patienceMs = firstAtMs + LONGEST_SETTLE_MS - clock.monotonicMs();
    cancelTimer = clock.after(Math.max(Math.min(SETTLE_MS, patienceMs), 0), () => {
      cancel();
      wake();
    });
  };
  return { event, cancel };
}
