import { lstat } from 'node:fs/promises';
import { request } from 'node:http';
import { AuthdError, systemErrorCode } from '../errors.js';
import { tryToConnect } from '../os/dial.js';

/** Which file it is, whatever it is called. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** How long a daemon that is there may take to say who it is. */
const INTRODUCTION_MS = 1000;
const LONGEST_INTRODUCTION = 256 * 1024;

/**
 * What lies at the path: a stale socket that may be replaced, or nothing (null).
 *
 * @throws AuthdError `already_running` if somebody listens there, `bad_socket` if it is no socket
 */
export async function findStaleSocket(path: string): Promise<FileIdentity | null> {
  const found = await lstat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return null;
  if (!found.isSocket()) {
    throw new AuthdError('bad_socket', `there is something at ${path} that is no socket`, {
      hint: `move it away, or choose another path with --socket`,
    });
  }
  const refusal = await tryToConnect(path);
  switch (refusal) {
    case 'ECONNREFUSED':
      return { dev: found.dev, ino: found.ino };
    case 'ENOENT':
      return null;
    // Its queue is full: somebody listens, and is busy.
    case 'EAGAIN':
    case null:
      throw await describeOwner(path);
    default:
      throw new AuthdError('bad_socket', `cannot find out whether somebody listens at ${path}: ${refusal}`, {
        hint: 'remove it if no daemon is running, or choose another path with --socket',
      });
  }
}

/** The pid of the daemon that answers at the path; null if none does within a second. Never rejects. */
export async function findListener(path: string): Promise<number | null> {
  return (await askForStatus(path))?.pid ?? null;
}

async function describeOwner(path: string): Promise<AuthdError> {
  const owner = await askForStatus(path);
  const who = owner === null ? 'somebody' : `codex-authd ${owner.version} (pid ${String(owner.pid)})`;
  return new AuthdError('already_running', `${who} already listens at ${path}`, {
    hint:
      owner === null
        ? 'stop it, or choose another path with --socket'
        : `use it, or stop it first: \`kill ${String(owner.pid)}\``,
  });
}

interface Owner {
  readonly pid: number;
  readonly version: string;
}

/** Who listens, if it is one of us that answers in time. Never rejects. */
function askForStatus(path: string): Promise<Owner | null> {
  return new Promise((resolve) => {
    const asking = request(
      { socketPath: path, path: '/v1/status', headers: { Host: 'localhost' }, timeout: INTRODUCTION_MS },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > LONGEST_INTRODUCTION) asking.destroy();
        });
        response.once('end', () => {
          resolve(readOwner(text));
        });
      },
    );
    const deadline = setTimeout(() => asking.destroy(), INTRODUCTION_MS);
    asking.on('error', () => undefined);
    asking.once('close', () => {
      clearTimeout(deadline);
      resolve(null);
    });
    asking.end();
  });
}

function readOwner(text: string): Owner | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    if (!('pid' in value) || !('version' in value)) return null;
    const { pid, version } = value;
    return typeof pid === 'number' && typeof version === 'string'
      ? { pid, version: version.slice(0, 40) }
      : null;
  } catch {
    return null;
  }
}
