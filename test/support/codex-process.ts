import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { Sandbox } from '../cli/run-cli.js';

export interface CodexOptions {
  /** The path of the binary. */
  readonly binary: string;
  /** Its home; `auth.json` is that of the daemon which runs in the same one. */
  readonly sandbox: Sandbox;
  readonly tokenEndpoint: string;
  /** What it reads on stdin. */
  readonly input?: string;
  /** A program, with its arguments, that starts Codex: a tracer. */
  readonly under?: readonly string[];
}

export interface CodexEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCodex {
  readonly process: ChildProcess;
  readonly ended: Promise<CodexEnd>;
}

/** A config.toml that names no provider, and keeps Codex from whatever the tests do not ask for. */
export const QUIET_CONFIG = `model = "of-the-tests"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false
`;

/** Writes the config.toml with which Codex talks to a mock of the model and to nobody else (facts 4.6). */
export async function configureCodex(sandbox: Sandbox, responsesUrl: string): Promise<void> {
  await writeFile(
    join(sandbox.codexHome, 'config.toml'),
    `model_provider = "mock"
${QUIET_CONFIG}
[model_providers.mock]
name = "mock"
base_url = "${responsesUrl}"
wire_api = "responses"
requires_openai_auth = true
supports_websockets = false
request_max_retries = 0
stream_max_retries = 0
`,
  );
}

/** The whole environment of a Codex that reaches nothing but this machine. */
export async function codexEnvironment({
  sandbox,
  tokenEndpoint,
}: Pick<CodexOptions, 'sandbox' | 'tokenEndpoint'>): Promise<Record<string, string>> {
  const temporary = join(sandbox.directory, 'tmp');
  await mkdir(temporary, { recursive: true });
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: sandbox.directory,
    TMPDIR: temporary,
    TZ: 'UTC',
    CODEX_HOME: sandbox.codexHome,
    CODEX_REFRESH_TOKEN_URL_OVERRIDE: tokenEndpoint,
    // Nobody listens on port 1: what is not on this machine cannot be reached.
    HTTPS_PROXY: 'http://127.0.0.1:1',
    HTTP_PROXY: 'http://127.0.0.1:1',
    ALL_PROXY: 'http://127.0.0.1:1',
    NO_PROXY: '127.0.0.1,localhost',
  };
}

/** A real Codex with a home of its own, which reaches nothing but this machine. It is killed when the test is over. */
export async function startCodex(args: readonly string[], options: CodexOptions): Promise<RunningCodex> {
  const { sandbox, input = '', under = [] } = options;
  const [command = options.binary, ...rest] = [...under, options.binary, ...args];
  const child = spawn(command, rest, {
    cwd: sandbox.directory,
    env: await codexEnvironment(options),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(input);
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const ended = once(child, 'close').then(async (): Promise<CodexEnd> => {
    const [stdout, stderr] = await output;
    return { code: child.exitCode, stdout, stderr };
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { process: child, ended };
}

/** One turn of `codex exec`. */
export async function startTurn(options: CodexOptions): Promise<RunningCodex> {
  return startCodex(['exec', '--skip-git-repo-check', 'say hello'], options);
}

export async function runTurn(options: CodexOptions): Promise<CodexEnd> {
  return (await startTurn(options)).ended;
}
