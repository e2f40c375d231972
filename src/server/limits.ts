import { readFile } from 'node:fs/promises';

/** What one client may take. Every limit exists so that no client can delay another one, or a rotation. */
export interface ServerLimits {
  /** Open connections; one more pushes out the oldest idle one. */
  readonly connections: number;
  /** Requests that wait on one connection behind the one being answered. */
  readonly queuedRequests: number;
  /** Of the headers of one request. */
  readonly headerBytes: number;
  /** Of a body that a route takes: it is held in memory. */
  readonly keptBodyBytes: number;
  /** Of a body that no route takes: it is read away up to this size. */
  readonly bodyBytes: number;
  /** Until the headers of a request must be there. */
  readonly headersTimeoutMs: number;
  /** Until a request with its body must be there. */
  readonly requestTimeoutMs: number;
  /** How often connections are looked through for the two timeouts above. */
  readonly timeoutCheckMs: number;
  /** How long a connection may be idle between two requests. */
  readonly keepAliveMs: number;
  /** How often an event stream with no news is sent a comment. */
  readonly heartbeatMs: number;
  /** How long a reader may leave an answer unread. */
  readonly stallMs: number;
  /** How long answers in flight may take to end when the server closes. */
  readonly closeGraceMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  connections: 4096,
  queuedRequests: 64,
  headerBytes: 16 * 1024,
  // The longest path there is, with every character escaped, and some space.
  keptBodyBytes: 32 * 1024,
  bodyBytes: 64 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  timeoutCheckMs: 2_000,
  keepAliveMs: 30_000,
  heartbeatMs: 15_000,
  stallMs: 60_000,
  closeGraceMs: 1_000,
};

/**
 * Leaves half of the process's file descriptors to the rest of the daemon: a rotation has to open files and
 * connections while the socket is flooded.
 */
export async function fitToOpenFiles(limits: ServerLimits): Promise<ServerLimits> {
  let text: string;
  try {
    text = await readFile('/proc/self/limits', 'utf8');
  } catch {
    return limits;
  }
  const openFiles = readOpenFileLimit(text);
  return { ...limits, connections: Math.min(limits.connections, Math.max(Math.floor(openFiles / 2), 1)) };
}

/** The soft limit of open files in the text of `/proc/self/limits`; Infinity where it names none. */
export function readOpenFileLimit(text: string): number {
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}
