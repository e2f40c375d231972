import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { refreshCredential } from '../../src/client/refresh.js';
import { AuthdError, openCredentialSource, type CredentialSource } from '../../src/index.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const LISTENERS = 1000;
const ROTATIONS = 7;
const RECEIVER = fileURLToPath(new URL('thousand-connections.mjs', import.meta.url));

/** When the first and when the last one had a new credential, in milliseconds since the epoch. */
interface Arrival {
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** How long the process of those who listen had to wait for a processor in between, where that is known. */
  readonly waitedMs?: number;
}

it('a rotation reaches a thousand connections within 100 ms: what the daemon needs for it', async () => {
  const daemon = await startDaemon();
  const receiver = spawn(process.execPath, [RECEIVER, daemon.socket, String(LISTENERS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    receiver.kill();
    await once(receiver, 'close');
  });
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('connected');
  await judge(daemon, async (rotate) => {
    await rotate();
    return JSON.parse(String((await lines.next()).value)) as Arrival;
  });
});

it('and a thousand sources in one process, with what they need themselves', async () => {
  const daemon = await startDaemon();
  const { socket } = daemon;
  const sources = await Promise.all(
    Array.from({ length: LISTENERS }, () => openCredentialSource({ socket, wait: 30 })),
  );
  onTestFinished(async () => {
    await Promise.all(sources.map((source) => source.close()));
  });
  await judge(daemon, async (rotate, generation) => {
    const arrivals = sources.map((source) => arrivalOf(source, generation));
    const waitedAtFirstMs = Promise.race(arrivals).then(waitedForProcessorMs);
    const waitedAtLastMs = Promise.all(arrivals).then(waitedForProcessorMs);
    await rotate();
    const atMs = await Promise.all(arrivals);
    const waitedMs = (await waitedAtLastMs) - (await waitedAtFirstMs);
    return { firstAtMs: Math.min(...atMs), lastAtMs: Math.max(...atMs), waitedMs };
  });
  expect(new Set(sources.map((source) => source.current?.fingerprint)).size).toBe(1);
});

async function startDaemon(): Promise<DaemonProcess> {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
  onTestFinished(() => endpoint.close());
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
  return DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
}

/** Rotates several times, and looks at how long it takes from the daemon's having a credential to the last one's. */
async function judge(
  daemon: DaemonProcess,
  follow: (rotate: () => Promise<void>, generation: number) => Promise<Arrival>,
): Promise<void> {
  const tookMs: number[] = [];
  const figures: string[] = [];
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    const { firstAtMs, lastAtMs, waitedMs = 0 } = await follow(() => refresh(daemon.socket), 1 + rotation);
    const rotatedAtMs = await rotationLogged(daemon, rotation);
    tookMs.push(lastAtMs - rotatedAtMs - waitedMs);
    const waited = waitedMs === 0 ? '' : ` (${waitedMs.toFixed(0)} of them without a processor)`;
    figures.push(`${(firstAtMs - rotatedAtMs).toFixed(0)}–${(lastAtMs - rotatedAtMs).toFixed(0)}${waited}`);
  }
  console.info(`from the rotation to the first–last of ${String(LISTENERS)}, ms: ${figures.join(', ')}`);
  // The first rotation of a process runs code that is not compiled yet.
  expect(tookMs.toSorted((a, b) => a - b)[Math.floor(ROTATIONS / 2)]).toBeLessThan(100);
}

/** When the daemon had the credential of a rotation, before it told anybody. */
async function rotationLogged({ cli }: DaemonProcess, rotation: number): Promise<number> {
  const logged = (log: string): string[] =>
    log.split('\n').filter((line) => line.includes('"msg":"rotated"'));
  const log = await cli.stderrUntil((soFar) => logged(soFar).length >= rotation);
  const { time } = JSON.parse(logged(log)[rotation - 1] ?? '') as { time: string };
  return Date.parse(time);
}

/** How long this thread has been ready to run while others did; Linux tells. */
function waitedForProcessorMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** When a source has the credential of that generation. */
async function arrivalOf(source: CredentialSource, generation: number): Promise<number> {
  for await (const current of source.changes()) {
    if (current !== null && current.generation >= generation) return Date.now();
  }
  throw new Error('the source was closed');
}

/** Rotates as soon as the daemon is ready to. */
async function refresh(socket: string): Promise<void> {
  for (;;) {
    try {
      await refreshCredential({ socket });
      return;
    } catch (error) {
      if (!(error instanceof AuthdError) || error.retryAtMs === undefined) throw error;
      await sleep(Math.max(error.retryAtMs - Date.now(), 0));
    }
  }
}
