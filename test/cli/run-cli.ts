import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../bin/codex-authd.js', import.meta.url));

/** A home of its own for a command line: nothing outside is read or written. */
export interface Sandbox {
  readonly directory: string;
  /** Where the default socket of this home lies. */
  readonly socket: string;
  readonly configFile: string;
  readonly codexHome: string;
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

export async function makeSandbox(): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'cli-'));
  const codexHome = join(directory, '.codex');
  const runtime = join(directory, 'run');
  const config = join(directory, 'config');
  await mkdir(codexHome, { mode: 0o700 });
  await mkdir(join(runtime, 'codex-authd'), { recursive: true, mode: 0o700 });
  await mkdir(join(config, 'codex-authd'), { recursive: true });
  return {
    directory,
    socket: join(runtime, 'codex-authd', 'authd.sock'),
    configFile: join(config, 'codex-authd', 'config.toml'),
    codexHome,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: directory,
      XDG_RUNTIME_DIR: runtime,
      XDG_CONFIG_HOME: config,
      XDG_STATE_HOME: join(directory, 'state'),
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'http://127.0.0.1:1/',
      TZ: 'UTC',
      // The guard that keeps every process of the tests on this machine.
      NODE_OPTIONS: process.env['NODE_OPTIONS'] ?? '',
      LOOPBACK_ONLY_REPORT: process.env['LOOPBACK_ONLY_REPORT'] ?? '',
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** How a command line ended, and what it wrote. */
export interface CliEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs. */
export interface RunningCli {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<CliEnd>;
  /** Resolves when stdout, as far as it has come, satisfies the test; rejects if the process ends before. */
  stdoutUntil(satisfied: (stdout: string) => boolean): Promise<string>;
  /** The same for stderr. */
  stderrUntil(satisfied: (stderr: string) => boolean): Promise<string>;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments for node itself, before the script. */
  readonly nodeArgs?: readonly string[];
  /** The script of another installation than this checkout. */
  readonly script?: string | undefined;
}

export function startCli(sandbox: Sandbox, args: readonly string[], options: CliOptions = {}): RunningCli {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.script ?? CLI, ...args], {
    env: { ...sandbox.env, ...options.env },
    cwd: sandbox.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const ended = once(child, 'close').then((): CliEnd => ({
    code: child.exitCode,
    signal: child.signalCode,
    stdout: stdout(),
    stderr: stderr(),
  }));
  const until = (
    stream: Readable,
    text: () => string,
    satisfied: (text: string) => boolean,
  ): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (satisfied(text())) resolve(text());
      };
      stream.on('data', look);
      child.once('close', () => {
        reject(new Error(`ended with stdout ${stdout()} and stderr ${stderr()}`));
      });
      look();
    });
  return {
    process: child,
    ended,
    stdoutUntil: (satisfied) => until(child.stdout, stdout, satisfied),
    stderrUntil: (satisfied) => until(child.stderr, stderr, satisfied),
  };
}

function collect(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  return () => text;
}

export function runCli(sandbox: Sandbox, args: readonly string[], options?: CliOptions): Promise<CliEnd> {
  return startCli(sandbox, args, options).ended;
}
