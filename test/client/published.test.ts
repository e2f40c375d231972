import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { publish, unpublish } from '../../src/index.js';
import {
  json,
  problem,
  startScriptedDaemon,
  type ScriptedDaemon,
  type Script,
} from '../cli/scripted-daemon.js';
import { scratchDir } from '../support/scratch-dir.js';

let daemon: ScriptedDaemon | undefined;

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
});

async function serve(script: Script): Promise<ScriptedDaemon> {
  daemon = await startScriptedDaemon(join(await scratchDir(), 'authd.sock'), script);
  return daemon;
}

const PUBLISHED = {
  account: 'default',
  directory: '/srv/home',
  auth_file: '/srv/home/auth.json',
  generation: 8,
  fingerprint: '0123456789ab',
  expires_at: null,
};
const UNPUBLISHED = {
  account: 'default',
  directory: '/srv/home',
  auth_file: '/srv/home/auth.json',
  removed: false,
};

it('publish gives what the daemon put there, and unpublish ends it', async () => {
  const { socket, requests } = await serve({
    'PUT /v1/published': json(PUBLISHED),
    'DELETE /v1/published': json(UNPUBLISHED),
  });
  const request = { directory: '/srv/home', socket, account: 'work', wait: 3 };
  expect(await publish(request)).toEqual(PUBLISHED);
  await unpublish(request);
  expect(requests).toEqual([
    'PUT /v1/published?account=work&wait=3',
    'DELETE /v1/published?account=work&wait=3',
  ]);
});

it.each([
  { directory: 'home' },
  { directory: '' },
  { directory: '/srv', wait: -1 },
  { directory: '/srv', wait: 601 },
])('asks nobody with options that are wrong: %j', async (options) => {
  const { socket, requests } = await serve({});
  await expect(publish({ ...options, socket })).rejects.toMatchObject({ code: 'bad_request' });
  await expect(unpublish({ ...options, socket })).rejects.toMatchObject({ code: 'bad_request' });
  expect(requests).toEqual([]);
});

it.each([{}, null, { ...PUBLISHED, generation: -1 }, { ...PUBLISHED, fingerprint: 'x' }])(
  'takes no other answer for one: %j',
  async (body) => {
    const { socket } = await serve({ 'PUT /v1/published': json(body), 'DELETE /v1/published': json(body) });
    await expect(publish({ directory: '/srv/home', socket })).rejects.toMatchObject({ code: 'bad_answer' });
    await expect(unpublish({ directory: '/srv/home', socket })).rejects.toMatchObject({ code: 'bad_answer' });
  },
);

it('passes on what the daemon says is wrong', async () => {
  const { socket } = await serve({
    'DELETE /v1/published': problem(404, 'not_found', 'nothing there', { hint: 'look elsewhere' }),
  });
  await expect(unpublish({ directory: '/srv/home', socket })).rejects.toMatchObject({
    code: 'not_found',
    hint: 'look elsewhere',
  });
});
