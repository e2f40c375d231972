import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { createServer } from 'node:net';
import { systemErrorCode } from '../errors.js';
import type { FileSystem, OpenFile } from '../os/file-system.js';
import { isStillAt } from './still-at.js';

/** A lock that the kernel takes back when its holder ends, however that ends. */
export interface KernelLock {
  /** The lock file, open for reading and writing. */
  readonly file: OpenFile;
  /** Whether it is a `flock`: the others do not reach every process of the machine, nor one that has a `flock`. */
  readonly isFlock: boolean;
  /** Lets go; the file stays, or is removed by whoever knows that nobody needs it. */
  release(): Promise<void>;
}

const MOST_ATTEMPTS = 10;

/**
 * Tries to take the kernel's lock on a file, which is made if it is not there. Where there is no `flock`, an abstract
 * socket serves on Linux; elsewhere there is then no such lock, and the caller is on its own.
 *
 * Resolves to null if another process of this machine has it.
 */
export async function tryKernelLock(fs: FileSystem, path: string): Promise<KernelLock | null> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const file = await fs.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    let fallback: (() => Promise<void>) | null = NO_SOCKET;
    const release = async (): Promise<void> => {
      try {
        await file.close();
      } finally {
        await fallback?.();
      }
    };
    let isHad = false;
    try {
      const taken = await file.tryLock();
      if (taken === null) fallback = await tryAbstractSocket(path);
      if (taken === false || fallback === null) return null;
      // Its last holder may have removed the file after we opened it: then this is a lock on nothing.
      isHad = await isStillAt(fs, path, file);
      if (isHad) return { file, isFlock: taken === true, release };
    } finally {
      if (!isHad) await release();
    }
  }
  throw new Error('the lock file was replaced again and again');
}

const NO_SOCKET = (): Promise<void> => Promise.resolve();

/** An abstract socket of Linux: a lock with no file and no native code, which any local user could squat (facts 5.8). */
function tryAbstractSocket(path: string): Promise<(() => Promise<void>) | null> {
  if (process.platform !== 'linux') return Promise.resolve(NO_SOCKET);
  const name = createHash('sha256').update(path).digest('hex').slice(0, 32);
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    // Also those that come later, and concern nobody: a process that has no descriptor left cannot accept, and goes on.
    server.on('error', (error) => {
      if (systemErrorCode(error) === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(`\0codex-authd/${name}`, () => {
      resolve(
        () =>
          new Promise((done) =>
            server.close(() => {
              done();
            }),
          ),
      );
    });
  });
}
