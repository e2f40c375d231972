import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Patient } from './patient.js';

/** Starts a process and waits until it has said something. */
export async function startRival(argv0: string, file: string, args: readonly string[]): Promise<Rival> {
  const child = spawn(file, args, { argv0, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await once(child.stdout, 'data');
  return { ended, stop: () => child.kill('SIGKILL') };
}

export interface Rival {
  readonly stop: () => void;
  readonly ended: Promise<unknown>;
}

/** A unit of the user's, as a service that was installed leaves it. Resolves to its path. */
export async function installUnit(patient: Patient, execStart: string): Promise<string> {
  const file = join(dirname(dirname(patient.sandbox.configFile)), 'systemd', 'user', 'codex-authd.service');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `[Service]\nExecStart=${execStart}\n`);
  return file;
}
