import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';
import {
  ACCOUNT,
  json,
  problem,
  startScriptedDaemon,
  statusBody,
  type Handler,
  type ScriptedDaemon,
  type Script,
} from './scripted-daemon.js';

let sandbox: Sandbox;
let daemon: ScriptedDaemon | undefined;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
  await sandbox.remove();
});

async function listen(script: Script): Promise<ScriptedDaemon> {
  daemon = await startScriptedDaemon(sandbox.socket, script);
  return daemon;
}

const PUBLISHED = {
  account: 'default',
  directory: '/srv/home',
  auth_file: '/srv/home/auth.json',
  generation: 8,
  fingerprint: '0123456789ab',
  expires_at: '2199-12-02T17:03:12.000Z',
};
const UNPUBLISHED = {
  account: 'default',
  directory: '/srv/home',
  auth_file: '/srv/home/auth.json',
  removed: true,
};

/** Answers, and keeps the bodies that came. */
function keeping(bodies: string[], then: Handler): Handler {
  return (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      bodies.push(text);
      then(request, response);
    });
  };
}

describe('publish DIR', () => {
  it('says what is there, in words and with --json', async () => {
    await listen({ 'PUT /v1/published': json(PUBLISHED) });
    const { code, stdout, stderr } = await runCli(sandbox, ['publish', '/srv/home']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^published: \/srv\/home\/auth\.json: generation 8, expires in \d+ d/);
    const asJson = await runCli(sandbox, ['publish', '/srv/home', '--json']);
    expect(JSON.parse(asJson.stdout)).toEqual(PUBLISHED);
  });

  it('tells the daemon the whole path, the account and the wait', async () => {
    const bodies: string[] = [];
    const { requests } = await listen({ 'PUT /v1/published': keeping(bodies, json(PUBLISHED)) });
    await runCli(sandbox, ['publish', 'somewhere/', '--account', 'work', '--wait', '5']);
    expect(requests).toEqual(['PUT /v1/published?account=work&wait=5']);
    expect(bodies).toEqual([
      JSON.stringify({ directory: join(await realpath(sandbox.directory), 'somewhere') }),
    ]);
  });

  it('ends it with --stop', async () => {
    const bodies: string[] = [];
    const { requests } = await listen({ 'DELETE /v1/published': keeping(bodies, json(UNPUBLISHED)) });
    const { code, stdout } = await runCli(sandbox, ['publish', '--stop', '/srv/home']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'not published any more: /srv/home\n' });
    expect(requests).toEqual(['DELETE /v1/published']);
    expect(bodies).toEqual(['{"directory":"/srv/home"}']);
    const asJson = await runCli(sandbox, ['publish', '--stop', '/srv/home', '--json']);
    expect(asJson.stdout).toBe('{"directory":"/srv/home","published":false}\n');
  });

  it.each([
    [1, problem(400, 'bad_request', 'it is not ours', { hint: 'remove it' }), 'error: it is not ours'],
    [1, problem(503, 'unavailable', 'no space left'), 'error: no space left'],
    [4, problem(503, 'login_required', 'the login has ended'), 'error: the login has ended'],
    [1, json({ ...PUBLISHED, generation: 'eight' }), 'error: the answer on'],
  ])('ends with %i and a reason, and prints nothing', async (code, handler, message) => {
    await listen({ 'PUT /v1/published': handler });
    const end = await runCli(sandbox, ['publish', '/srv/home']);
    expect(end).toMatchObject({ code, stdout: '' });
    expect(end.stderr).toContain(message);
  });

  it('wants a directory, and does not take an empty one for the current one', async () => {
    expect(await runCli(sandbox, ['publish'])).toMatchObject({ code: 2, stdout: '' });
    expect(await runCli(sandbox, ['publish', ''])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('DIR is empty'),
    });
    expect(await runCli(sandbox, ['publish', '/srv/home'])).toMatchObject({ code: 3 });
  });
});

it('status shows where an account is published, and a hint where something is in the way', async () => {
  const published = { directory: '/srv/home', auth_file: '/srv/home/auth.json', source: 'request' } as const;
  const fine = {
    ...published,
    state: 'published',
    detail: 'x',
    hint: null,
    generation: 8,
    fingerprint: '0123456789ab',
  } as const;
  const failing = {
    ...fine,
    directory: '/srv/full',
    state: 'failing',
    detail: 'no space',
    hint: 'free space',
  } as const;
  await listen({
    'GET /v1/status': json(statusBody(sandbox.socket, [{ ...ACCOUNT, published: [fine, failing] }])),
  });
  const { code, stdout, stderr } = await runCli(sandbox, ['status']);
  expect(code).toBe(0);
  expect(stdout).toContain('  published in   /srv/home\n  published in   /srv/full (failing: no space)\n');
  expect(stderr).toContain('hint: /srv/full: free space\n');
});
