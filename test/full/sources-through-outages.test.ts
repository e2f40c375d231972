import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openCredentialSource, type CredentialSource } from '../../src/index.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { status } from '../support/scripted-answers.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const SOURCES = 50;
const LIFETIME_S = 8;
const ROUNDS = 4;

it('no source ever gives an expired credential, nor is lost, whatever becomes of daemon, socket and server', async () => {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: LIFETIME_S });
  onTestFinished(() => endpoint.close());
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
  const start = (): Promise<DaemonProcess> => DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
  let daemon = await start();
  const { socket } = daemon;
  const sources = await Promise.all(Array.from({ length: SOURCES }, () => openCredentialSource({ socket })));
  onTestFinished(async () => {
    await Promise.all(sources.map((source) => source.close()));
  });

  const reads = { total: 0, none: 0, expired: 0 };
  const gets = { total: 0, refused: {} as Record<string, number>, expired: 0 };
  const end = new AbortController();

  /** Looks at every source, over and over, with nothing but a turn of the event loop between. */
  async function poll(): Promise<void> {
    while (!end.signal.aborted) {
      for (const source of sources) {
        const { current } = source;
        reads.total += 1;
        if (current === null) reads.none += 1;
        else if (!endpoint.verifyAccessToken(current.access_token, Date.now())) reads.expired += 1;
      }
      await sleep(1);
    }
  }

  async function consume(source: CredentialSource): Promise<void> {
    while (!end.signal.aborted) {
      gets.total += 1;
      try {
        const { access_token } = await source.get({ minValid: 3, wait: 2 });
        if (!endpoint.verifyAccessToken(access_token, Date.now())) gets.expired += 1;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
        gets.refused[code] = (gets.refused[code] ?? 0) + 1;
      }
      await sleep(20);
    }
  }

  /** Resolves when every source has a credential that the server takes. */
  async function allWell(): Promise<void> {
    await Promise.all(sources.map((source) => source.get({ minValid: 2, wait: 60 })));
  }

  const running = [poll(), ...sources.slice(0, 10).map(consume)];
  for (let round = 0; round < ROUNDS; round += 1) {
    await daemon.stop('SIGKILL');
    daemon = await start();
    await allWell();

    await unlink(socket);
    await daemon.stop('SIGKILL');
    // Away for longer than any token lives.
    await sleep((LIFETIME_S + 1) * 1000);
    expect(sources.every(({ current, connected }) => current === null && !connected)).toBe(true);
    daemon = await start();
    await allWell();

    endpoint.otherwise = status(503);
    await sleep((LIFETIME_S + 1) * 1000);
    expect(sources.every(({ current }) => current === null)).toBe(true);
    endpoint.otherwise = null;
    await allWell();

    await daemon.stop('SIGTERM');
    daemon = await start();
    await allWell();
  }
  // Each hears of the next rotation by its events: none is lost.
  await Promise.all(sources.map((source) => nextAfter(source, source.current?.generation ?? 0)));
  end.abort();
  await Promise.all(running);
  console.info(reads, gets, new Set(endpoint.requests.map(({ outcome }) => outcome)));
  expect(reads).toMatchObject({ expired: 0 });
  expect(gets).toMatchObject({ expired: 0 });
  expect(
    Object.keys(gets.refused).filter((code) => !['unavailable', 'daemon_not_running'].includes(code)),
  ).toEqual([]);
  expect(reads.total).toBeGreaterThan(10_000);
  expect(sources.every(({ connected }) => connected)).toBe(true);
  // After a 503 a refresh token is sent again, and rightly; one that was spent is not.
  expect(endpoint.requests.filter(({ outcome }) => outcome === 'refresh_token_reused')).toEqual([]);
});

/** Resolves when the source has a newer credential than that. */
async function nextAfter(source: CredentialSource, generation: number): Promise<void> {
  for await (const current of source.changes()) {
    if (current !== null && current.generation > generation && source.connected) return;
  }
}
