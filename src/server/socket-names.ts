import { dirname, join } from 'node:path';

/** Short, because it has to fit into the same limit as the socket's own. */
const TEMPORARY_NAME = /^\.~[0-9a-z]{4}$/;

/** A new name beside the socket, to bind under. */
export function temporaryPath(socket: string): string {
  const random = Math.floor(Math.random() * 36 ** 4);
  return join(dirname(socket), `.~${random.toString(36).padStart(4, '0')}`);
}

/** Whether a name in the socket's directory is of the shape of {@link temporaryPath}. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

/** The lock beside the socket. */
export function lockPath(socket: string): string {
  return `${socket}.lock`;
}
