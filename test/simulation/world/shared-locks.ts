import type { SharedLocks } from '../../../src/auth-file/shared-lock.js';
import type { Host, VirtualProcess } from './process.js';

/** The locks that lie as directories on a file system, by path: who has them. */
export type LockTable = Map<string, VirtualProcess>;

/**
 * Locks between machines as one process sees them. A holder renews them for as long as it runs; that a dead one's is stale is
 * noticed at once here, and what stealing a stopped one's means is for the tests on real files to show.
 */
export function sharedLocksOf(process: VirtualProcess, table: LockTable, host: Host): SharedLocks {
  return {
    take: (path) =>
      process.operate('mkdir', path, () => {
        const holder = table.get(path);
        if (holder?.isAlive === true) return null;
        table.set(path, process);
        host.onWritten(process, path);
        return {
          isCompromised: false,
          release: () =>
            process.operate('unlink', path, () => void table.delete(path)).catch(() => undefined),
        };
      }),
    remove: (path) => process.operate('unlink', path, () => void table.delete(path)).catch(() => undefined),
  };
}
