import { spawn, type ChildProcess } from 'node:child_process';
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
/** What is on its way when it ends is waited for; what it has left running may hold stderr open for ever. */
const DRAIN_MS = 200;

/** Runs a program in a process group of its own, without a shell. Rejects only if a word holds a NUL. */
export function runWithInput(
  file: string,
  args: readonly string[],
  { input, deadlineMs }: RunOptions,
): Promise<RunFailure> {
  return new Promise((resolve) => {
    const child: MaybePiped = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve(`cannot be run: ${describeError(error)}`);
    });
    const { stdin, stderr } = child;
    let complaint = '';
    let isLate = false;
    const hangUp = (): void => {
      stderr?.destroy();
    };
    const timer = setTimeout(() => {
      isLate = true;
      killGroup(child.pid);
      hangUp();
    }, deadlineMs);
    stderr?.setEncoding('utf8').on('data', (piece: string) => {
      complaint = `${complaint}${piece}`.slice(0, MOST_STDERR_CHARACTERS);
    });
    // It need not read what it is told.
    stdin?.on('error', () => undefined).end(input);
    child.once('exit', () => {
      clearTimeout(timer);
      setTimeout(hangUp, DRAIN_MS).unref();
    });
    child.once('close', (code, signal) => {
      if (isLate) resolve(`was killed after ${String(deadlineMs / 1000)} s`);
      else if (code === 0) resolve(null);
      else resolve(withComplaint(`ended with ${signal ?? String(code)}`, complaint));
    });
  });
}

/** Where no descriptor is left, a child has no pipes, against its type: its error comes all the same. */
type MaybePiped = Omit<ChildProcess, 'stdin' | 'stderr'> & Partial<Pick<ChildProcess, 'stdin' | 'stderr'>>;

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
