import * as fs from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { lock as acquire } from 'proper-lockfile';
import { systemErrorCode } from '../errors.js';
import { Lease, type FileCalls } from './lease.js';

/** A lock that was not renewed for this long belongs to a machine that is gone. */
export const STALE_MS = 10_000;
const RENEW_MS = 2_500;

/** A lock between the machines that share a file system. */
export interface SharedLock {
  /** Whether somebody else may have it by now. */
  readonly isCompromised: boolean;
  /** Looks whether it is ours still: somebody may have taken it a moment ago. */
  confirm(): Promise<boolean>;
  /** Removes it if it is ours still. */
  release(): Promise<void>;
}

/** Where such locks are had: directories that their holders renew. */
export interface SharedLocks {
  /** Null if somebody has renewed it lately. `onLost` is called if it is lost before it is released. */
  take(path: string, onLost: (error: Error) => void): Promise<SharedLock | null>;
  /** Removes one whose holder is known to be gone. */
  remove(path: string): Promise<void>;
}

/**
 * Directories that proper-lockfile makes and renews. Alone they are no mutex (facts 5.1): what they guard has a kernel's
 * lock inside, and a comparison before every change.
 */
export function sharedLocksBy(calls: FileCalls): SharedLocks {
  return {
    async take(path, onLost) {
      const state = { isCompromised: false };
      const lease = new Lease(path, STALE_MS, calls);
      try {
        const release = await acquire(path, {
          realpath: false,
          lockfilePath: path,
          stale: STALE_MS,
          update: RENEW_MS,
          retries: 0,
          fs: lease.fileCalls,
          // The default throws from a timer.
          onCompromised(error) {
            state.isCompromised = true;
            onLost(error);
          },
        });
        lease.hold();
        const confirm = async (): Promise<boolean> => {
          // It may have been told to be lost meanwhile, and stays so.
          if (!(await lease.isOurs())) state.isCompromised = true;
          return !state.isCompromised;
        };
        return {
          get isCompromised() {
            return state.isCompromised || lease.isOverdue;
          },
          confirm,
          async release() {
            await confirm();
            // Where it was lost there is nothing to release any more.
            await release().catch(() => undefined);
          },
        };
      } catch (error) {
        if (systemErrorCode(error) === 'ELOCKED') return null;
        throw error;
      }
    },
    remove: (path) => rmdir(path).catch(() => undefined),
  };
}

/** On the file systems of this machine. */
export const sharedLocks = sharedLocksBy(fs);
