import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const CLIENTS = 20;
const LIFETIME_S = 20;
const DURATION_MS = 5 * 60 * 1000;

it('serves 20 greedy clients for five minutes from tokens that live 20 s', async () => {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: LIFETIME_S });
  onTestFinished(() => endpoint.close());
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
  const startedAtMs = Date.now();
  const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });

  const reads = { total: 0, failed: 0, expired: 0, tooShort: 0 };
  const consume = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (Date.now() - startedAtMs < DURATION_MS) {
      const { status, body } = await get(daemon.socket, '/v1/credential?min_valid=5', agent);
      const nowMs = Date.now();
      reads.total += 1;
      if (status !== 200) {
        reads.failed += 1;
        continue;
      }
      const { access_token, expires_at } = JSON.parse(body) as { access_token: string; expires_at: string };
      if (!endpoint.verifyAccessToken(access_token, nowMs)) reads.expired += 1;
      if (Date.parse(expires_at) - nowMs < 4_900) reads.tooShort += 1;
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: CLIENTS }, consume));

  const elapsedMs = Date.now() - startedAtMs;
  console.info({ ...reads, requests: endpoint.requests.length, elapsedMs });
  expect(reads).toMatchObject({ failed: 0, expired: 0, tooShort: 0 });
  expect(endpoint.sentTwice()).toEqual([]);
  expect(endpoint.requests.length).toBeLessThanOrEqual(elapsedMs / 9_000);
  expect(endpoint.requests.length).toBeGreaterThan(elapsedMs / (LIFETIME_S * 1000));
});

function get(socketPath: string, path: string, agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, agent, headers: { host: 'localhost' } }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, reject);
    });
    asking.on('error', reject);
    asking.end();
  });
}
