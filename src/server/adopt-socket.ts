import type { Server } from 'node:net';
import { AuthdError, systemErrorCode } from '../errors.js';
import { BACKLOG, type BoundSocket } from './listen.js';
import { prepareDirectory } from './socket-directory.js';

/**
 * Makes `server` listen on a socket that the service manager has made at `path` and goes on holding while the daemon is
 * away: it is never removed here, and whoever connects meanwhile waits for the next daemon.
 *
 * @throws AuthdError `bad_socket`
 */
export async function adoptSocket(server: Server, descriptor: number, path: string): Promise<BoundSocket> {
  await prepareDirectory(path);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd: descriptor, backlog: BACKLOG }, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const code = systemErrorCode(error) ?? 'unknown error';
    throw new AuthdError(
      'bad_socket',
      `the service manager's socket cannot be used: descriptor ${String(descriptor)}: ${code}`,
      { hint: 'run `codex-authd service install` again', cause: error },
    );
  }
  return { outlivesUs: true, remove: () => undefined };
}
