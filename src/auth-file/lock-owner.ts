import { hostname } from 'node:os';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { syncDirectory, writeAll } from './durable.js';
import { readText } from './read-text.js';

/** Where the journals are of whoever has it, and of daemons before him that were killed. */
const States = v.optional(v.array(v.string()), []);

const OwnerSchema = v.object({
  pid: v.number(),
  host: v.string(),
  /** Which running kernel: a process of another one is not ours to judge. */
  machine: v.string(),
  /** Whether the kernel's lock was a `flock`. */
  flock: v.boolean(),
  socket: v.string(),
  states: States,
  since: v.string(),
});

/** Who holds the lock of an account, as the file beside the lock says. */
export type LockOwner = v.InferOutput<typeof OwnerSchema>;
/** The same without the state directories: who it is stays, while of those more may be heard of. */
export type LockHolder = Omit<LockOwner, 'states'>;

/** What the file beside the lock says. */
export interface LockWord {
  /** Null if nobody wrote himself down, or is said to have it any more. */
  readonly owner: LockOwner | null;
  readonly states: readonly string[];
}

/** The paths of several state directories may be in it, and each has up to 4 KiB. */
const LARGEST_BYTES = 64 * 1024;
/** Words have whole blocks, so that the next one has its room already. */
const BLOCK_BYTES = 4096;

/** Who is about to be written down: this process, beside what he says of himself. */
export function describeOwner(
  self: Pick<LockOwner, 'machine' | 'flock' | 'socket'>,
  nowMs: number,
): LockHolder {
  return { pid: process.pid, host: hostname(), ...self, since: new Date(nowMs).toISOString() };
}

/**
 * The word that was written last; an empty one if there is none, or it is none of ours.
 *
 * @throws what the disk says if it does not give it: then it is not known whose it is
 */
export async function readWord(fs: FileSystem, path: string): Promise<LockWord> {
  try {
    const word: unknown = JSON.parse(await readText(fs, path, LARGEST_BYTES));
    const owner = v.safeParse(OwnerSchema, word);
    return { owner: owner.success ? owner.output : null, ...v.parse(v.object({ states: States }), word) };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined || code === 'ENOENT') return { owner: null, states: [] };
    throw error;
  }
}

/**
 * Who wrote himself down last; null if nobody did, or it is none of our words.
 *
 * @throws what the disk says if it does not give it: then it is not known who did
 */
export async function readOwner(fs: FileSystem, path: string): Promise<LockOwner | null> {
  return (await readWord(fs, path)).owner;
}

/** Whether both are the same process, having the lock for the same time. */
export function isSame(one: LockHolder | null, other: LockHolder | null): boolean {
  if (one === null || other === null) return one === other;
  return one.pid === other.pid && one.machine === other.machine && one.since === other.since;
}

/** `file` is open at `path`. After a loss of power as well it tells a successor where to look for what was under way. */
export async function putDown(fs: FileSystem, path: string, file: OpenFile, owner: LockOwner): Promise<void> {
  await writeWord(file, owner);
  await syncDirectory(fs, dirname(path));
}

/** Says that nobody is known to have it, and still where journals are. */
export function disown(file: OpenFile, states: readonly string[]): Promise<void> {
  return writeWord(file, { states });
}

/**
 * Over the word that is there, in one piece, without cutting that off before: it may be all that tells where the journals of
 * a killed daemon are. What is longer than the new one is blank then, and what is to be longer is blank before.
 */
async function writeWord(file: OpenFile, word: object): Promise<void> {
  const text = Buffer.from(`${JSON.stringify(word, null, 2)}\n`);
  let { size } = await file.stat();
  // Nobody can read that: it is no word.
  if (size > LARGEST_BYTES) {
    await file.truncate(0);
    size = 0;
  }
  const block = Buffer.alloc(Math.max(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES, size), ' ');
  await writeAll(file, block.subarray(size), size);
  text.copy(block);
  await writeAll(file, block);
  await file.sync();
}
