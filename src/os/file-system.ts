import { writeSync, type BigIntStats } from 'node:fs';
import { open, mkdir, readdir, readlink, realpath, rename, stat, unlink } from 'node:fs/promises';
import { isMountPoint } from './mounts.js';
import { loadFlock } from './native.js';

/** The file operations that an account's files need, and no more. The simulation has a virtual one that can crash at each. */
export interface FileSystem {
  open(path: string, flags: number, mode?: number): Promise<OpenFile>;
  stat(path: string): Promise<FileStat>;
  /** @throws ENOENT also for a symbolic link that leads nowhere */
  realpath(path: string): Promise<string>;
  readlink(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, mode: number): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** Whether something is mounted at just this real path. */
  isMountPoint(path: string): Promise<boolean>;
}

export interface OpenFile {
  stat(): Promise<FileStat>;
  /** Reads at `position`; resolves to the number of bytes, 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes at `position`; resolves to the number of bytes, which may be fewer than were given. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Writes at `position` before it returns, in one system call; returns the number of bytes. */
  writeNow(bytes: Uint8Array, position: number): number;
  truncate(length: number): Promise<void>;
  chown(owner: Owner): Promise<void>;
  sync(): Promise<void>;
  /**
   * Takes the kernel's lock (`flock`) on the file: true if it is ours now, false if somebody else has it, null if this
   * machine offers no such lock. It ends with `close`, and with the process however that ends.
   */
  tryLock(): Promise<boolean | null>;
  close(): Promise<void>;
}

/** Whose a file is, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other';
  readonly owner: Owner;
  readonly size: number;
  readonly modifiedAtMs: number;
  /** Changes whenever the file is replaced or written: device, inode, size and both times to the nanosecond. */
  readonly stamp: string;
  /** Device and inode: the same as long as it is the same file. */
  readonly identity: string;
}

export const systemFileSystem: FileSystem = {
  async open(path, flags, mode) {
    const handle = await open(path, flags, mode);
    return {
      stat: async () => describe(await handle.stat({ bigint: true })),
      read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
      write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
      writeNow: (bytes, position) => writeSync(handle.fd, bytes, 0, bytes.length, position),
      truncate: (length) => handle.truncate(length),
      chown: ({ uid, gid }) => handle.chown(uid, gid),
      sync: () => handle.sync(),
      tryLock: async () => (await loadFlock())?.(handle.fd) ?? null,
      close: () => handle.close(),
    };
  },
  stat: async (path) => describe(await stat(path, { bigint: true })),
  realpath: (path) => realpath(path),
  readlink: (path) => readlink(path),
  rename,
  unlink,
  mkdir: async (path, mode) => {
    await mkdir(path, { recursive: true, mode });
  },
  readdir: (path) => readdir(path),
  isMountPoint,
};

function describe(stats: BigIntStats): FileStat {
  const identity = `${String(stats.dev)}:${String(stats.ino)}`;
  return {
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
    owner: { uid: Number(stats.uid), gid: Number(stats.gid) },
    size: Number(stats.size),
    modifiedAtMs: Number(stats.mtimeMs),
    stamp: `${identity}:${String(stats.size)}:${String(stats.mtimeNs)}:${String(stats.ctimeNs)}`,
    identity,
  };
}
