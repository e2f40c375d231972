import { execFile } from 'node:child_process';
import type { Environment } from './paths.js';

/** How a program ended that was asked something. */
export interface ProgramAnswer {
  readonly succeeded: boolean;
  /** Without white space at its ends. */
  readonly stdout: string;
  readonly stderr: string;
}

const DEADLINE_MS = 5_000;

/** Runs a program that answers on stdout. Null if there is no such program. Never rejects. */
export function runProgram(
  file: string,
  args: readonly string[],
  env: Environment,
): Promise<ProgramAnswer | null> {
  const options = { env: { ...env }, timeout: DEADLINE_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const isMissing = error?.code === 'ENOENT' || error?.code === 'EACCES';
      resolve(isMissing ? null : { succeeded: error === null, stdout: stdout.trim(), stderr: stderr.trim() });
    });
  });
}
