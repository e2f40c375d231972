import type { SharedLocks } from '../../../src/auth-file/shared-lock.js';
import type { Host, VirtualProcess } from './process.js';

/** The locks that lie as directories on a file system, by path. */
export type LockTable = Map<string, { readonly holder: VirtualProcess; isRenewed: boolean }>;

/**
 * Locks between machines as one process sees them. A holder renews them for as long as it runs; that a dead one's is stale is
 * noticed at once here, and what stealing a stopped one's means is for the tests on real files to show.
 */
export function sharedLocksOf(process: VirtualProcess, table: LockTable, host: Host): SharedLocks {
  const remove = (path: string): Promise<void> =>
    process.operate('unlink', path, () => void table.delete(path)).catch(() => undefined);
  return {
    take: (path) =>
      process.operate('mkdir', path, () => {
        const found = table.get(path);
        if (found?.isRenewed === true && found.holder.isAlive) return null;
        const lock = { holder: process, isRenewed: true };
        table.set(path, lock);
        host.onWritten(process, path);
        return {
          isCompromised: false,
          confirm: () => Promise.resolve(true),
          release() {
            lock.isRenewed = false;
            return remove(path);
          },
        };
      }),
    remove,
  };
}
