import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { ask, parseProblem, start, type Harness, type Reply } from './harness.js';
import { makeCredential } from './scripted-keeper.js';

/** A request with a directory in its body. */
function send({ socketPath }: Harness, method: string, directory: string, query = ''): Promise<Reply> {
  const headers = { 'Content-Type': 'application/json' };
  return ask(socketPath, `/v1/published${query}`, { method, headers, body: JSON.stringify({ directory }) });
}

describe('PUT /v1/published', () => {
  it('says what is in the file, and never the token', async () => {
    const harness = await start();
    const reply = await send(harness, 'PUT', '/srv/home');
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({
      account: 'default',
      directory: '/srv/home',
      auth_file: '/srv/home/auth.json',
      generation: 7,
      fingerprint: makeCredential().accessToken.fingerprint,
      expires_at: '2026-12-02T11:00:00.000Z',
    });
    expect(reply.body).not.toContain('token-of-generation-7');
  });

  it('passes on how long to wait, and one name for one directory', async () => {
    const harness = await start();
    await send(harness, 'PUT', '/srv/./other/../home/', '?wait=3');
    expect(harness.keeper.published).toMatchObject([{ directory: '/srv/home', waitMs: 3000 }]);
  });

  it.each(['', 'home', './home', '~/home', '/srv/\0home', `/${'x'.repeat(5000)}`])(
    'refuses %j, which is no absolute path, without asking anybody',
    async (directory) => {
      const harness = await start();
      const reply = await send(harness, 'PUT', directory);
      expect(reply.status).toBe(400);
      expect(parseProblem(reply)).toMatchObject({ code: 'bad_request' });
      expect(parseProblem(reply).hint).toContain('"directory":"/');
      expect(harness.keeper.published).toEqual([]);
    },
  );

  it('passes a refusal on with its hint', async () => {
    const harness = await start();
    harness.keeper.onPublish = () =>
      Promise.reject(new AuthdError('bad_request', 'it is not ours', { hint: 'remove it' }));
    const reply = await send(harness, 'PUT', '/srv/home');
    expect(reply.status).toBe(400);
    expect(parseProblem(reply)).toMatchObject({ detail: 'it is not ours', hint: 'remove it' });
  });

  it('is for the account that is named', async () => {
    const harness = await start();
    const reply = await send(harness, 'PUT', '/srv/home', '?account=work');
    expect(parseProblem(reply)).toMatchObject({ status: 404, code: 'unknown_account' });
  });
});

describe('DELETE /v1/published', () => {
  it('says whether there was a file to remove', async () => {
    const harness = await start();
    const reply = await send(harness, 'DELETE', '/srv/home/');
    expect(JSON.parse(reply.body)).toEqual({
      account: 'default',
      directory: '/srv/home',
      auth_file: '/srv/home/auth.json',
      removed: true,
    });
    expect(harness.keeper.unpublished).toMatchObject([{ directory: '/srv/home' }]);
  });

  it('of what is not published is 404', async () => {
    const harness = await start();
    harness.keeper.onUnpublish = () => Promise.reject(new AuthdError('not_found', 'nothing there'));
    expect((await send(harness, 'DELETE', '/srv/home')).status).toBe(404);
  });
});
