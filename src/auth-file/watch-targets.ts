import { basename, dirname, join } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import { systemErrorCode } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import { locateRealFile } from './locate.js';

/** An existing directory, and the name in it that matters. */
interface Target {
  readonly directory: string;
  readonly name: string;
  /** Changes when another directory takes the place of this one: the watch is stale then. */
  readonly identity: string;
}

/** The directories to watch for a file: its own, and that of the real file where it is a link. */
export async function findTargets(fs: FileSystem, path: string): Promise<Target[]> {
  const files = new Set([path, await locateRealFile(fs, path).catch(() => path)]);
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

/** Resolves when the watch is armed, or has failed as far as it could: what is left of it may hear something still. */
export function watchTargets(
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
  return new Promise((resolve) => {
    watcher.once('ready', () => {
      resolve(watcher);
    });
    watcher.on('error', (error) => {
      onError(error);
      resolve(watcher);
    });
  });
}
