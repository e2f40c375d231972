import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import type { DaemonCommand } from './daemon-command.js';
import { withoutInheritance } from './inheritance.js';

/** A daemon that was started and outlives whoever started it. */
export interface BackgroundDaemon {
  readonly pid: number;
  /** Rejects if it ends: with AuthdError `service`, and what it wrote last. */
  readonly failed: Promise<never>;
  /** Lets it run without us. */
  letGo(): void;
}

/** A log that is larger is put aside, in the place of the one before: nobody else looks after it. */
const LARGEST_LOG_BYTES = 4 * 1024 * 1024;

/** How much of the log's end is looked at for what went wrong. */
const TAIL_BYTES = 4096;

/**
 * Starts the daemon in a session of its own, its log at the end of `logFile` (0600), which is `.old` when it has got long: for
 * machines without a service manager. Nobody starts it again after a crash.
 *
 * @throws AuthdError `service` if it cannot be started
 */
export async function startInBackground(
  { node, script, args, environment }: DaemonCommand,
  env: Environment,
  logFile: string,
): Promise<BackgroundDaemon> {
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  await putAside(logFile);
  const log = await open(logFile, 'a', 0o600);
  const { size } = await log.stat();
  const child = spawn(node, [script, ...args], {
    detached: true,
    cwd: '/',
    env: { ...withoutInheritance(env), ...environment },
    stdio: ['ignore', 'ignore', log.fd],
  });
  await log.close();
  const { pid } = child;
  if (pid === undefined) throw new AuthdError('service', 'the daemon cannot be started', { hint: node });
  const failed = once(child, 'exit').then(async (): Promise<never> => {
    throw new AuthdError('service', `the daemon ended at once: ${await lastWords(logFile, size)}`, {
      hint: `look at ${logFile}`,
    });
  });
  failed.catch(() => undefined);
  return {
    pid,
    failed,
    letGo() {
      child.unref();
    },
  };
}

async function putAside(logFile: string): Promise<void> {
  const info = await stat(logFile).catch(() => null);
  if ((info?.size ?? 0) > LARGEST_LOG_BYTES) await rename(logFile, `${logFile}.old`);
}

/** The last line that was written since the file had `from` bytes. */
async function lastWords(path: string, from: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(from, size - TAIL_BYTES);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const lines = buffer.toString('utf8', 0, bytesRead).trim().split('\n');
    return lines.find((line) => line.startsWith('codex-authd: ')) ?? lines.at(-1) ?? 'it wrote nothing';
  } finally {
    await file.close();
  }
}
