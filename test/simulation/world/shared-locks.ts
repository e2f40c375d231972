import type { SharedLocks } from '../../../src/auth-file/shared-lock.js';
import type { Host, VirtualProcess } from './process.js';

/** A lease: its holder renews it for as long as it runs. */
interface Lease {
  readonly holder: VirtualProcess;
  readonly takenAtMs: number;
  /** Since when it is renewed no more, although its holder runs; null if it is. */
  abandonedAtMs: number | null;
  isReleased: boolean;
  /** Somebody else has it: its holder learns of that when it goes on. */
  isTaken: boolean;
  isCompromised: boolean;
  onLost: (error: Error) => void;
}

/** The locks that lie as directories on a file system, by path. */
export type LockTable = Map<string, Lease>;

/** Who has not renewed for longer is gone. */
const STALE_MS = 10_000;
/** A renewal that is overdue is over by then. */
const RENEWAL_MS = 20;

/** Locks between machines as one process sees them. */
export function sharedLocksOf(process: VirtualProcess, table: LockTable, host: Host): SharedLocks {
  return {
    take: (path, onLost) =>
      process.operate('mkdir', path, () => {
        const found = table.get(path);
        if (found?.isReleased === false) {
          const renewedAtMs = Math.min(found.abandonedAtMs ?? Infinity, found.holder.ranUntilMs);
          if (host.timeline.nowMs - renewedAtMs <= STALE_MS) return null;
          lose(found, path);
        }
        const lease: Lease = {
          holder: process,
          takenAtMs: host.timeline.nowMs,
          abandonedAtMs: null,
          isReleased: false,
          isTaken: false,
          isCompromised: false,
          onLost,
        };
        process.isSuperseded = false;
        table.set(path, lease);
        host.onWritten(process, path);
        return heldLease(process, lease, path, table, host);
      }),
    remove: (path) =>
      process
        .operate('unlink', path, () => {
          const found = table.get(path);
          table.delete(path);
          // It was a living one's by then: its next renewal tells.
          if (found?.isReleased === false) lose(found, path);
        })
        .catch(() => undefined),
  };
}

function heldLease(process: VirtualProcess, lease: Lease, path: string, table: LockTable, host: Host) {
  return {
    get isCompromised() {
      return lease.isCompromised || isOverdue(lease, host.timeline.nowMs);
    },
    /** Asks the file system whose it is. */
    async confirm(): Promise<boolean> {
      const isThere = await process.operate('stat', path, () => table.get(path) === lease).catch(() => false);
      lease.isCompromised ||= !isThere;
      return !lease.isCompromised;
    },
    /** One that was lost is its successor's to release; one that cannot be removed becomes stale. */
    release: (): Promise<void> => {
      lease.abandonedAtMs = host.timeline.nowMs;
      return process
        .operate('unlink', path, () => {
          lease.isReleased = true;
          if (table.get(path) === lease) table.delete(path);
        })
        .catch(() => undefined);
    },
  };
}

/** Whether its holder knows, by the clock, that somebody may have taken it while he was stopped. */
function isOverdue({ holder, takenAtMs, isTaken }: Lease, nowMs: number): boolean {
  const { haltedAtMs, wokeAtMs } = holder;
  if (takenAtMs > haltedAtMs || wokeAtMs - haltedAtMs < STALE_MS) return false;
  return isTaken || nowMs - wokeAtMs < RENEWAL_MS;
}

/** The renewal that is overdue finds out: a timer, and then a look at the directory. */
function lose(lease: Lease, path: string): void {
  const { holder } = lease;
  lease.isTaken = true;
  holder.isSuperseded = true;
  holder.clock.after(0, () => {
    void holder
      .operate('stat', path, () => undefined)
      .catch(() => undefined)
      .then(() => {
        if (lease.isReleased || lease.isCompromised) return;
        lease.isCompromised = true;
        lease.onLost(Object.assign(new Error('somebody else has taken the lock'), { code: 'ECOMPROMISED' }));
      });
  });
}
