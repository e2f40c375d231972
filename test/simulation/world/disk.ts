import type { Random } from './random.js';

/** An error of the kernel's, as Node throws it. */
export function systemError(code: string, path = ''): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** What a file holds: `bytes`, and zeros up to `size`. */
export interface Contents {
  readonly bytes: Buffer;
  readonly size: number;
}

export const NOTHING: Contents = { bytes: Buffer.alloc(0), size: 0 };

/** A regular file: what a reader sees now, and what is there after a loss of power. */
export class Inode {
  readonly number: number;
  readonly mode: number;
  now: Contents = NOTHING;
  /** Null: never synced. */
  durable: Contents | null = null;
  /** A sync of it has failed: what it held then will never be written, whatever a later sync says. */
  isForsaken = false;
  /** It has been made shorter since it was last synced: what it held before is not in its place any more. */
  isCut = false;
  version = 0;
  modifiedAtMs: number;
  /** Who has the kernel's lock on it, on each machine. */
  readonly lockedBy = new Map<string, object>();

  constructor(number: number, mode: number, modifiedAtMs: number) {
    this.number = number;
    this.mode = mode;
    this.modifiedAtMs = modifiedAtMs;
  }

  get isSynced(): boolean {
    return this.durable === this.now;
  }
}

/** What a name leads to. */
export type Node = Inode | Directory | Link;

export interface Link {
  readonly target: string;
}

export class Directory {
  readonly number: number;
  now = new Map<string, Node>();
  durable = new Map<string, Node>();
  version = 0;

  constructor(number: number) {
    this.number = number;
  }

  set(name: string, node: Node | null): void {
    if (node === null) this.now.delete(name);
    else this.now.set(name, node);
    this.version += 1;
  }

  sync(): void {
    this.durable = new Map(this.now);
  }
}

/** All files of one machine, as the kernel shows them, and as a loss of power would leave them. */
export class Disk {
  readonly directories = new Map<string, Directory>();
  #count = 0;

  makeDirectory(path: string): Directory {
    const directory = new Directory((this.#count += 1));
    this.directories.set(path, directory);
    return directory;
  }

  makeInode(mode: number, nowMs: number): Inode {
    return new Inode((this.#count += 1), mode, nowMs);
  }

  /** What lies at the path; undefined if nothing does. Follows no link. */
  find(path: string): Node | undefined {
    const { directory, name } = splitPath(path);
    return this.directories.get(directory)?.now.get(name) ?? this.directories.get(path);
  }

  /** What lies at the path after a loss of power that keeps no name which was not synced. */
  findDurable(path: string): Node | undefined {
    const { directory, name } = splitPath(path);
    return this.directories.get(directory)?.durable.get(name);
  }

  /** Puts something at the path, in the place of what was there. */
  put(path: string, node: Node): void {
    const { directory, name } = splitPath(path);
    this.directories.get(directory)?.set(name, node);
  }

  /** Follows the links that the last part of a path may be. */
  follow(path: string): string {
    const node = this.find(path);
    return node !== undefined && 'target' in node ? this.follow(node.target) : path;
  }

  /** The text of a file as a reader sees it; null if there is none. */
  read(path: string): string | null {
    const node = this.find(path);
    return node instanceof Inode ? textOf(node.now) : null;
  }

  /** The text of a file as a loss of power would leave it; null if there is none. */
  readDurable(path: string): string | null {
    const node = this.findDurable(path);
    return node instanceof Inode && node.durable !== null ? textOf(node.durable) : null;
  }

  /** The text of a file that every loss of power would leave; null if not each would leave one. */
  readCertain(path: string): string | null {
    const node = this.findDurable(path);
    const isCertain = node instanceof Inode && node.isSynced && node === this.find(path);
    return isCertain ? textOf(node.now) : null;
  }

  /**
   * The power goes. Of what was not synced, each name and each file has its old state or its new one, or, for a file,
   * something between.
   */
  losePower(random: Random): void {
    const seen = new Set<Inode>();
    for (const directory of this.directories.values()) {
      const names = new Set([...directory.now.keys(), ...directory.durable.keys()]);
      for (const name of names) {
        const survivor = (random.chance(0.5) ? directory.now : directory.durable).get(name) ?? null;
        directory.set(name, survivor);
        if (survivor instanceof Inode) seen.add(survivor);
      }
      directory.sync();
    }
    for (const inode of seen) {
      if (!inode.isSynced) inode.now = remains(inode, random);
      inode.durable = inode.now;
      inode.isForsaken = false;
      inode.isCut = false;
      inode.lockedBy.clear();
      inode.version += 1;
    }
  }
}

/** What a loss of power leaves of a file that was not synced. */
function remains({ now, durable, isForsaken, isCut }: Inode, random: Random): Contents {
  const old = durable ?? NOTHING;
  if (isForsaken || random.chance(0.4)) return old;
  if (random.chance(0.4)) return now;
  const length = random.below(now.bytes.length + 1);
  const written = now.bytes.subarray(0, length);
  if (isCut) return { bytes: written, size: random.chance(0.5) ? length : now.size };
  // What was synced and not written since stays as it was.
  const bytes = Buffer.concat([written, old.bytes.subarray(length)]);
  return { bytes, size: Math.max(random.chance(0.5) ? old.size : now.size, bytes.length) };
}

export function splitPath(path: string): { directory: string; name: string } {
  const at = path.lastIndexOf('/');
  return { directory: path.slice(0, at), name: path.slice(at + 1) };
}

/** The empty room of a journal is of no interest. */
const MOST_ZEROS = 64 * 1024;

function textOf({ bytes, size }: Contents): string {
  return bytes.toString('utf8') + '\0'.repeat(Math.min(size - bytes.length, MOST_ZEROS));
}
