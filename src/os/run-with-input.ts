import { spawn } from 'node:child_process';
import { describeError } from '../errors.js';

export interface RunOptions {
  /** What the program reads on stdin. */
  readonly input: string;
  /** After so long it is killed, with all that it has started. */
  readonly deadlineMs: number;
}

/** How a program ended that was given something: null if it succeeded, else what went wrong, in one clause. */
export type RunFailure = string | null;

/** The first lines of what it says on stderr are told with its failure, and no more is kept. */
const MOST_STDERR_CHARACTERS = 500;

/** Runs a program in a process group of its own, without a shell. Rejects only if a word holds a NUL. */
export function runWithInput(
  file: string,
  args: readonly string[],
  { input, deadlineMs }: RunOptions,
): Promise<RunFailure> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
    let complaint = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      killGroup(child.pid);
      // What has left the group may hold stderr open for ever.
      child.stderr.destroy();
    }, deadlineMs);
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      complaint = `${complaint}${piece}`.slice(0, MOST_STDERR_CHARACTERS);
    });
    // It need not read what it is told.
    child.stdin.on('error', () => undefined).end(input);
    const end = (failure: RunFailure): void => {
      clearTimeout(timer);
      resolve(failure);
    };
    child.once('error', (error) => {
      end(`cannot be run: ${describeError(error)}`);
    });
    child.once('close', (code, signal) => {
      if (isLate) end(`was killed after ${String(deadlineMs / 1000)} s`);
      else if (code === 0) end(null);
      else end(withComplaint(`ended with ${signal ?? String(code)}`, complaint));
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended in this instant.
  }
}

function withComplaint(failure: string, complaint: string): string {
  const said = complaint.trim().replace(/\s+/g, ' ');
  return said === '' ? failure : `${failure}: ${said}`;
}
