import { execFile } from 'node:child_process';
import type { Environment } from '../os/paths.js';

/** How a tool of the system ended. */
export interface ToolEnd {
  /** Its exit code; null if it could not be started, or was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longer than the unit's TimeoutStopSec and the plist's ExitTimeOut, after which a daemon that stops is killed. */
export const LONGEST_STOP_MS = 270_000;

/** Runs a tool and waits for its end. Never rejects. */
export function runTool(file: string, args: readonly string[], env: Environment): Promise<ToolEnd> {
  const options = { env: { ...env, LC_ALL: 'C' }, timeout: LONGEST_STOP_MS };
  return new Promise((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr });
    });
  });
}
