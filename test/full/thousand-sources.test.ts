import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { refreshCredential } from '../../src/client/refresh.js';
import { AuthdError, openCredentialSource, type CredentialSource } from '../../src/index.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const SOURCES = 1000;
const ROTATIONS = 6;

it('a rotation reaches a thousand sources within 100 ms', async () => {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
  onTestFinished(() => endpoint.close());
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
  const { socket } = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
  const sources = await Promise.all(
    Array.from({ length: SOURCES }, () => openCredentialSource({ socket, wait: 30 })),
  );
  onTestFinished(async () => {
    await Promise.all(sources.map((source) => source.close()));
  });

  const spreadsMs: number[] = [];
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    const generation = 1 + rotation;
    const arrivals = sources.map((source) => arrivalOf(source, generation));
    await refresh(socket);
    const atMs = await Promise.all(arrivals);
    spreadsMs.push(Math.max(...atMs) - Math.min(...atMs));
  }
  console.info(`first to last source, ms: ${spreadsMs.map((ms) => ms.toFixed(1)).join(' ')}`);
  expect(endpoint.requests).toHaveLength(ROTATIONS);
  expect(new Set(sources.map((source) => source.current?.fingerprint)).size).toBe(1);
  // What else the machine does at that moment can only add to it.
  expect(Math.min(...spreadsMs)).toBeLessThan(100);
});

/** When a source has the credential of that generation. */
async function arrivalOf(source: CredentialSource, generation: number): Promise<number> {
  for await (const current of source.changes()) {
    if (current !== null && current.generation >= generation) return performance.now();
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
