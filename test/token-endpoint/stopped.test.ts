import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';

const LONGEST_ANSWER_MS = 1000;
const PROGRAM = fileURLToPath(new URL('send-once.mjs', import.meta.url));

it('an answer that came while the process stood still is read, however long that was', async () => {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      child.kill('SIGSTOP');
      response.end('{"access_token":"new"}', () => void continueLate());
    });
  });
  const continueLate = async (): Promise<void> => {
    await pause(2 * LONGEST_ANSWER_MS);
    child.kill('SIGCONT');
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/token`;
  const child = spawn(process.execPath, [PROGRAM, url, String(LONGEST_ANSWER_MS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    server.close();
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(JSON.parse(said.toString())).toMatchObject({ kind: 'answered', body: '{"access_token":"new"}' });
});
