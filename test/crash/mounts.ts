import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** @throws where mounting is not possible, with what is missing */
function mount(path: string, ...args: readonly string[]): void {
  try {
    execFileSync('mount', [...args, path], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Error(`cannot mount at ${path}: this part of the crash campaign needs root`, { cause: error });
  }
}

function unmount(path: string): void {
  execFileSync('umount', ['--lazy', path], { stdio: 'ignore' });
}

/** A small file system in memory, taken away when the test is over. */
export class SmallDisk {
  readonly #path: string;

  constructor(path: string, bytes: number) {
    this.#path = path;
    mount(path, '-t', 'tmpfs', '-o', `size=${String(bytes)},mode=0700`, 'tmpfs');
    onTestFinished(() => {
      unmount(path);
    });
  }

  /** Until not one more byte fits. */
  fill(): void {
    const ballast = openSync(this.#ballast, 'w');
    try {
      for (const piece = Buffer.alloc(4096, 'x'); ;) writeSync(ballast, piece);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      closeSync(ballast);
    }
  }

  async free(): Promise<void> {
    await rm(this.#ballast);
  }

  get #ballast(): string {
    return join(this.#path, 'ballast');
  }
}

/** Mounts a file or a directory at its own place: a file as one that was mounted into a container. Returns what ends it. */
export function mountAlone(path: string): () => void {
  mount(path, '--bind', path);
  return undoOnce(() => {
    unmount(path);
  });
}

/** Makes a file one that nobody may change or replace. Returns what ends it. */
export function makeImmutable(path: string): () => void {
  execFileSync('chattr', ['+i', path]);
  return undoOnce(() => {
    execFileSync('chattr', ['-i', path]);
  });
}

/** When the test is over, if not before. */
function undoOnce(undo: () => void): () => void {
  let isDone = false;
  const once = (): void => {
    if (!isDone) undo();
    isDone = true;
  };
  onTestFinished(once);
  return once;
}

/**
 * A directory on which nothing can be changed through its path, as after `mount -o remount,ro`; files that were open for
 * writing before would make the kernel refuse that one.
 */
export class ReadOnlySpell {
  readonly end: () => void;

  constructor(path: string) {
    this.end = mountAlone(path);
    mount(path, '-o', 'remount,bind,ro');
  }
}
