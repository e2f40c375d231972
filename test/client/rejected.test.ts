import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reportRejected } from '../../src/index.js';
import {
  CREDENTIAL,
  json,
  problem,
  startScriptedDaemon,
  type ScriptedDaemon,
} from '../cli/scripted-daemon.js';
import { makeTempDir, type TempDir } from '../support/temp-dir.js';

const FINGERPRINT = 'ba9876543210';

let directory: TempDir;
let daemon: ScriptedDaemon | undefined;
let bodies: string[] = [];

beforeEach(async () => {
  bodies = [];
  directory = await makeTempDir();
});

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
  await directory.remove();
});

async function serve(handler = json(CREDENTIAL)): Promise<ScriptedDaemon> {
  daemon = await startScriptedDaemon(join(directory.path, 'authd.sock'), {
    'POST /v1/rejected': (request, response) => {
      void text(request).then((body) => {
        bodies.push(body);
        handler(request, response);
      });
    },
  });
  return daemon;
}

describe('reportRejected', () => {
  it('says which token was rejected, and gives the other one', async () => {
    const { socket, requests } = await serve();
    expect(await reportRejected({ socket, fingerprint: FINGERPRINT })).toEqual(CREDENTIAL);
    expect(requests).toEqual(['POST /v1/rejected']);
    expect(bodies).toEqual([`{"fingerprint":"${FINGERPRINT}"}`]);
  });

  it('names the account and the wait', async () => {
    const { socket, requests } = await serve();
    await reportRejected({ socket, fingerprint: FINGERPRINT, account: 'default', wait: 3 });
    expect(requests).toEqual(['POST /v1/rejected?account=default&wait=3']);
  });

  it('fails with the daemon’s problem, and the time to report again', async () => {
    const retry_at = '2026-11-22T17:00:00.000Z';
    const { socket } = await serve(problem(429, 'rate_limited', 'too soon', { retry_at }));
    await expect(reportRejected({ socket, fingerprint: FINGERPRINT })).rejects.toMatchObject({
      code: 'rate_limited',
      retryAtMs: Date.parse(retry_at),
    });
  });

  it('takes the rejected token for no answer', async () => {
    const { socket } = await serve();
    const reported = reportRejected({ socket, fingerprint: CREDENTIAL.fingerprint });
    await expect(reported).rejects.toMatchObject({ code: 'bad_answer' });
  });

  it.each([
    { fingerprint: 'short' },
    { fingerprint: FINGERPRINT, wait: 601 },
    { fingerprint: FINGERPRINT, wait: 0.5 },
  ])('refuses %j without asking', async (options) => {
    const { socket, requests } = await serve();
    await expect(reportRejected({ socket, ...options })).rejects.toMatchObject({ code: 'bad_request' });
    expect(requests).toEqual([]);
  });

  it('gives up when the caller does', async () => {
    const { socket } = await serve();
    const signal = AbortSignal.abort('enough');
    await expect(reportRejected({ socket, fingerprint: FINGERPRINT, signal })).rejects.toBe('enough');
  });
});
