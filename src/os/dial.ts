import { connect } from 'node:net';
import { systemErrorCode } from '../errors.js';

/** Connects to a Unix socket and hangs up. Resolves to null if somebody accepts, else to the error's code. Never rejects. */
export function tryToConnect(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
    socket.once('error', (error) => {
      resolve(systemErrorCode(error) ?? 'unknown error');
    });
  });
}
