import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { describeError, systemErrorCode } from '../errors.js';
import { plain } from './output.js';

/** How a command ended. */
export interface ChildEnd {
  /** The command's own; 128+N if signal N ended it; 127 or 126 if it could not be started, as a shell has it. */
  readonly exitCode: number;
  /** Why it could not be started. */
  readonly problem?: string;
}

const SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;
type Passed = (typeof SIGNALS)[number];

/** Runs a command with our stdin, stdout and stderr, and passes signals on to it. Never rejects. */
export async function runChild(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ChildEnd> {
  let child: ChildProcess;
  try {
    child = spawn(file, args, { stdio: 'inherit', env });
  } catch (error) {
    return notStarted(file, error);
  }
  const pass = (signal: Passed): void => {
    if (!isFromKeyboard(signal)) child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    return await endOf(child, file);
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}

function endOf(child: ChildProcess, file: string): Promise<ChildEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(notStarted(file, error));
    });
    child.once('exit', (code, signal) => {
      resolve({ exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) });
    });
  });
}

/**
 * A key pressed on the terminal signals the whole foreground group, so the command has the signal already; twice
 * Ctrl-C would mean more to it than once.
 */
function isFromKeyboard(signal: Passed): boolean {
  return (signal === 'SIGINT' || signal === 'SIGQUIT') && isatty(0);
}

function notStarted(file: string, error: unknown): ChildEnd {
  const missing = systemErrorCode(error) === 'ENOENT';
  const why = missing ? 'there is no such command' : describeError(error);
  return { exitCode: missing ? 127 : 126, problem: `cannot run ${plain(file)}: ${why}` };
}
