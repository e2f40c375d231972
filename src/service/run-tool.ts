import { execFile } from 'node:child_process';
import type { Environment } from '../os/paths.js';

/** How a tool of the system ended. */
export interface ToolEnd {
  /** Its exit code; null if it could not be started, or was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longer than a daemon may take to stop. */
const DEADLINE_MS = 270_000;

/** Runs a tool and waits for its end. Never rejects. */
export function runTool(file: string, args: readonly string[], env: Environment): Promise<ToolEnd> {
  return new Promise((resolve) => {
    execFile(file, args, { env: { ...env, LC_ALL: 'C' }, timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr });
    });
  });
}
