import { rmdir } from 'node:fs/promises';
import { lock as acquire } from 'proper-lockfile';
import { systemErrorCode } from '../errors.js';

/** A lock that was not renewed for this long belongs to a machine that is gone. */
export const STALE_MS = 10_000;
const RENEW_MS = 2_500;

/** A lock between the machines that share a file system. */
export interface SharedLock {
  /** Whether somebody else may have it by now. */
  readonly isCompromised: boolean;
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
export const sharedLocks: SharedLocks = {
  async take(path, onLost) {
    const state = { isCompromised: false };
    try {
      const release = await acquire(path, {
        realpath: false,
        lockfilePath: path,
        stale: STALE_MS,
        update: RENEW_MS,
        retries: 0,
        // The default throws from a timer.
        onCompromised(error) {
          state.isCompromised = true;
          onLost(error);
        },
      });
      return {
        get isCompromised() {
          return state.isCompromised;
        },
        // One that was lost a moment ago is not ours to release any more.
        release: () => release().catch(() => undefined),
      };
    } catch (error) {
      if (systemErrorCode(error) === 'ELOCKED') return null;
      throw error;
    }
  },
  remove: (path) => rmdir(path).catch(() => undefined),
};
