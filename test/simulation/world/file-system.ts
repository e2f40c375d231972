import { constants } from 'node:fs';
import type { FileStat, FileSystem, OpenFile } from '../../../src/os/file-system.js';
import {
  Directory,
  Inode,
  NOTHING,
  splitPath,
  systemError,
  type Contents,
  type Disk,
  type Node,
} from './disk.js';
import type { Host, VirtualProcess } from './process.js';

const OWNER = { uid: 1000, gid: 1000 };

/** The file system as one process sees it. */
export function fileSystemOf(process: VirtualProcess, host: Host): FileSystem {
  const { disk } = host;
  return {
    async open(path, flags, mode = 0o666) {
      const isCreating = (flags & constants.O_CREAT) !== 0;
      const real = disk.follow(path);
      const isNew = isCreating && disk.find(real) === undefined;
      return process.operate(isNew ? 'create' : 'open', path, () => {
        const node = openNode(host, process, disk.follow(path), flags, mode);
        return node instanceof Directory
          ? openDirectory(process, host, node, path)
          : openFile(process, host, node, path);
      });
    },
    stat: (path) => process.operate('stat', path, () => describe(existing(disk, disk.follow(path)))),
    realpath: (path) =>
      process.operate('realpath', path, () => {
        const real = disk.follow(path);
        existing(disk, real);
        return real;
      }),
    readlink: (path) =>
      process.operate('realpath', path, () => {
        const node = existing(disk, path);
        if ('target' in node) return node.target;
        throw systemError('EINVAL', path);
      }),
    rename: (from, to) =>
      process.operate('rename', to, () => {
        const node = existing(disk, from);
        const replaced = disk.find(to);
        if (!(node instanceof Inode)) throw systemError('EINVAL', from);
        if (replaced instanceof Directory) throw systemError('EISDIR', to);
        entriesOf(disk, from).set(splitPath(from).name, null);
        entriesOf(disk, to).set(splitPath(to).name, node);
        host.onRenamed(process, node, to, replaced instanceof Inode ? replaced : null);
        host.onWritten(process, to);
      }),
    unlink: (path) =>
      process.operate('unlink', path, () => {
        existing(disk, path);
        entriesOf(disk, path).set(splitPath(path).name, null);
        host.onUnlinked(process, path);
        host.onWritten(process, path);
      }),
    mkdir: (path) =>
      process.operate('mkdir', path, () => {
        if (!disk.directories.has(path)) disk.makeDirectory(path);
      }),
    readdir: (path) => process.operate('readdir', path, () => [...directoryAt(disk, path).now.keys()]),
    isMountPoint: () => Promise.resolve(false),
  };
}

function openFile(process: VirtualProcess, host: Host, inode: Inode, path: string): OpenFile {
  const holder = {};
  const put = (contents: Contents): void => {
    // What is written over with the same is as durable as it was.
    if (!isEqual(contents, inode.now)) inode.now = contents;
    inode.version += 1;
    inode.modifiedAtMs = host.timeline.nowMs;
    host.onAltered(process, inode);
    host.onWritten(process, path);
  };
  const write = (bytes: Uint8Array, position: number): number => {
    put(spliced(inode.now, bytes, position));
    // Whatever was forsaken has been written once more.
    const { durable, now } = inode;
    if (inode.isForsaken && isEqual(spliced(durable ?? NOTHING, bytes, position), now))
      inode.isForsaken = false;
    return bytes.length;
  };
  return {
    stat: () => process.operate('stat', path, () => describe(inode)),
    read: (into, position) => process.operate('read', path, () => copyOut(inode.now, into, position)),
    write: (bytes, position) =>
      process.operate(growth(inode, bytes, position), path, () => write(bytes, position)),
    writeNow(bytes, position) {
      host.onOperation(process, 'write', path);
      if (!process.isAlive) throw new Error('killed');
      return process.operateNow(growth(inode, bytes, position), path, () => write(bytes, position));
    },
    truncate: (length) =>
      process.operate('truncate', path, () => {
        inode.isCut ||= length < inode.now.size;
        put({ bytes: inode.now.bytes.subarray(0, length), size: length });
      }),
    chown: () => process.operate('chown', path, () => undefined),
    sync: () => sync(process, host, inode, path),
    tryLock: () => process.operate('lock', path, () => process.lock(inode, holder)),
    // One that fails has let go of the file all the same.
    close: async () => {
      try {
        await process.operate('close', path, () => undefined);
      } finally {
        process.unlock(inode, holder);
      }
    },
  };
}

/** Whether a write needs room that the file does not have yet. */
function growth({ now }: Inode, bytes: Uint8Array, position: number): 'write' | 'extend' {
  return position + bytes.length > now.size ? 'extend' : 'write';
}

async function sync(process: VirtualProcess, host: Host, inode: Inode, path: string): Promise<void> {
  try {
    await process.operate('sync', path, () => {
      if (inode.isForsaken) return;
      inode.durable = inode.now;
      inode.isCut = false;
      host.onSynced();
    });
  } catch (error) {
    inode.isForsaken = true;
    throw error;
  }
}

/** A directory that is open can be synced, and no more. */
function openDirectory(process: VirtualProcess, host: Host, directory: Directory, path: string): OpenFile {
  const refuse = (): never => {
    throw systemError('EISDIR', path);
  };
  return {
    stat: () => process.operate('stat', path, () => describe(directory)),
    read: () => process.operate('read', path, refuse),
    write: () => process.operate('write', path, refuse),
    writeNow: refuse,
    truncate: () => process.operate('truncate', path, refuse),
    chown: () => process.operate('chown', path, () => undefined),
    sync: () =>
      process.operate('sync directory', path, () => {
        directory.sync();
        host.onSynced();
      }),
    tryLock: () => Promise.resolve(null),
    close: () => process.operate('close', path, () => undefined),
  };
}

function openNode(
  host: Host,
  process: VirtualProcess,
  path: string,
  flags: number,
  mode: number,
): Inode | Directory {
  const { disk } = host;
  const found = disk.find(path);
  if (found === undefined && (flags & constants.O_CREAT) !== 0) {
    const inode = disk.makeInode(mode, host.timeline.nowMs);
    entriesOf(disk, path).set(splitPath(path).name, inode);
    host.onAltered(process, inode);
    host.onWritten(process, path);
    return inode;
  }
  const node = found ?? existing(disk, path);
  if ('target' in node) throw systemError('ELOOP', path);
  if ((flags & constants.O_EXCL) !== 0) throw systemError('EEXIST', path);
  const isWriting = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
  if (node instanceof Directory && isWriting) throw systemError('EISDIR', path);
  return node;
}

function existing(disk: Disk, path: string): Node {
  const node = disk.find(path);
  if (node === undefined) throw systemError('ENOENT', path);
  return node;
}

function entriesOf(disk: Disk, path: string): Directory {
  return directoryAt(disk, splitPath(path).directory);
}

function directoryAt(disk: Disk, path: string): Directory {
  const directory = disk.directories.get(path);
  if (directory === undefined) throw systemError('ENOENT', path);
  return directory;
}

function describe(node: Node): FileStat {
  if (node instanceof Inode) {
    const identity = `1:${String(node.number)}`;
    const { modifiedAtMs, now, version } = node;
    const stamp = `${identity}:${String(version)}`;
    return { kind: 'file', owner: OWNER, size: now.size, modifiedAtMs, stamp, identity };
  }
  if (node instanceof Directory) {
    const identity = `1:${String(node.number)}`;
    const stamp = `${identity}:${String(node.version)}`;
    return { kind: 'directory', owner: OWNER, size: 0, modifiedAtMs: 0, stamp, identity };
  }
  throw systemError('ENOENT', node.target);
}

/** The room for an answer is a megabyte of zeros, always the same one: nobody needs to look twice. */
const knownZeros = new WeakSet<ArrayBufferLike>();
const LARGE_BYTES = 256 * 1024;

function isAllZero(bytes: Uint8Array): boolean {
  if (bytes.length < LARGE_BYTES) return false;
  if (!knownZeros.has(bytes.buffer) && bytes.every((byte) => byte === 0)) knownZeros.add(bytes.buffer);
  return knownZeros.has(bytes.buffer);
}

function spliced({ bytes: old, size }: Contents, bytes: Uint8Array, position: number): Contents {
  const end = position + bytes.length;
  const newSize = Math.max(size, end);
  if (isAllZero(bytes)) return { bytes: old.subarray(0, position), size: newSize };
  const merged = Buffer.alloc(Math.max(old.length, end));
  merged.set(old);
  merged.set(bytes, position);
  return { bytes: merged, size: newSize };
}

function isEqual(one: Contents, other: Contents): boolean {
  return one.size === other.size && one.bytes.equals(other.bytes);
}

function copyOut({ bytes, size }: Contents, into: Uint8Array, position: number): number {
  const count = Math.max(Math.min(into.length, size - position), 0);
  const known = bytes.subarray(position, position + count);
  into.set(known);
  into.fill(0, known.length, count);
  return count;
}
