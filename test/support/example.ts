import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { CLI, type Sandbox } from '../cli/run-cli.js';

/** How an example ended, and what it wrote. */
export interface ExampleEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The path of a file in `examples`: what the tests run is what people copy. */
export function exampleFile(name: string): string {
  return fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
}

/** Runs a program in a sandbox where it finds the daemon of that sandbox. It is killed when the test is over. */
export async function runProgram(
  sandbox: Sandbox,
  [file = '', ...args]: readonly string[],
  { env = {}, cwd = sandbox.directory }: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Promise<ExampleEnd> {
  const child = spawn(file, args, {
    cwd,
    env: { ...sandbox.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  await once(child, 'close');
  const [stdout, stderr] = await output;
  return { code: child.exitCode, stdout, stderr };
}

/** Programs that stand before those of the machine, and a book of the arguments that they were called with. */
export interface Watched {
  readonly env: Readonly<Record<string, string>>;
  readonly book: () => Promise<string>;
}

/** Writes down every argument of these programs; `codex-authd` is this package's. */
export async function watchArguments(sandbox: Sandbox, names: readonly string[]): Promise<Watched> {
  const directory = join(sandbox.directory, 'bin');
  const book = join(sandbox.directory, 'arguments');
  const path = sandbox.env['PATH'] ?? '';
  await mkdir(directory, { recursive: true });
  await writeFile(book, '');
  for (const name of names) {
    const real = name === 'codex-authd' ? `"${process.execPath}" "${CLI}"` : `env PATH="${path}" ${name}`;
    const file = join(directory, name);
    await writeFile(file, `#!/bin/sh\nprintf '%s\\n' ${name} "$@" >> "${book}"\nexec ${real} "$@"\n`);
    await chmod(file, 0o700);
  }
  return {
    env: { PATH: `${directory}${delimiter}${path}` },
    book: () => readFile(book, 'utf8'),
  };
}
