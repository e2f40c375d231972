import { hostname } from 'node:os';
import * as v from 'valibot';
import { systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { writeAll } from './durable.js';
import { readText } from './read-text.js';

const OwnerSchema = v.object({
  pid: v.number(),
  host: v.string(),
  /** Which running kernel: a process of another one is not ours to judge. */
  machine: v.string(),
  /** Whether the kernel's lock was a `flock`. */
  flock: v.boolean(),
  socket: v.string(),
  /** Where its journals are, and those of daemons before it that were killed. */
  states: v.optional(v.array(v.string()), []),
  since: v.string(),
});

/** Who holds the lock of an account, as the file beside the lock says. */
export type LockOwner = v.InferOutput<typeof OwnerSchema>;

/** The paths of several state directories may be in it, and each has up to 4 KiB. */
const LARGEST_BYTES = 64 * 1024;

/** Who is about to be written down: this process, beside what he says of himself. */
export function describeOwner(
  self: Pick<LockOwner, 'machine' | 'flock' | 'socket' | 'states'>,
  nowMs: number,
): LockOwner {
  return { pid: process.pid, host: hostname(), ...self, since: new Date(nowMs).toISOString() };
}

/**
 * Who wrote himself down last; null if nobody did, or it is none of our words.
 *
 * @throws what the disk says if it does not give it: then it is not known who did
 */
export async function readOwner(fs: FileSystem, path: string): Promise<LockOwner | null> {
  try {
    return v.parse(OwnerSchema, JSON.parse(await readText(fs, path, LARGEST_BYTES)));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined || code === 'ENOENT') return null;
    throw error;
  }
}

/** Whether both are the same process, having the lock for the same time. */
export function isSame(one: LockOwner | null, other: LockOwner | null): boolean {
  if (one === null || other === null) return one === other;
  return one.pid === other.pid && one.machine === other.machine && one.since === other.since;
}

export async function writeOwner(file: OpenFile, owner: LockOwner): Promise<void> {
  await file.truncate(0);
  await writeAll(file, Buffer.from(`${JSON.stringify(owner, null, 2)}\n`));
  await file.sync();
}
