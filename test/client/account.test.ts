import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  codexOptions,
  openCredentialSource,
  publish,
  readCredential,
  reportRejected,
} from '../../src/index.js';
import {
  ACCOUNT,
  CREDENTIAL,
  event,
  events,
  json,
  startScriptedDaemon,
  type ScriptedDaemon,
} from '../cli/scripted-daemon.js';
import { scratchDir } from '../support/scratch-dir.js';

const WORK = { ...CREDENTIAL, account: 'work' };

async function serve(): Promise<ScriptedDaemon> {
  const daemon = await startScriptedDaemon(join(await scratchDir(), 'authd.sock'), {
    'GET /v1/credential': json(WORK),
    'POST /v1/rejected': json(WORK),
    'PUT /v1/published': json({ ...WORK, directory: '/srv/home', auth_file: '/srv/home/auth.json' }),
    'GET /v1/events': events(event('state', { ...ACCOUNT, account: 'work' }), event('credential', WORK)),
  });
  onTestFinished(() => daemon.close());
  return daemon;
}

beforeEach(() => {
  vi.stubEnv('CODEX_AUTHD_ACCOUNT', 'work');
});

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('CODEX_AUTHD_ACCOUNT', () => {
  it('names the account where the caller names none', async () => {
    const { socket, requests } = await serve();
    await readCredential({ socket });
    await reportRejected({ socket, fingerprint: 'ba9876543210' });
    await publish({ socket, directory: '/srv/home' });
    await using source = await openCredentialSource({ socket });
    expect(source.current).toMatchObject({ account: 'work' });
    expect(requests).toEqual([
      'GET /v1/credential?account=work',
      'POST /v1/rejected?account=work',
      'PUT /v1/published?account=work',
      'GET /v1/events?account=work',
    ]);
  });

  it('yields to the one that the caller names', async () => {
    const { socket, requests } = await serve();
    await expect(readCredential({ socket, account: 'play' })).rejects.toMatchObject({ code: 'bad_answer' });
    expect(requests).toEqual(['GET /v1/credential?account=play']);
  });

  it('cannot lead the command of a Codex elsewhere: that names the account of its provider', async () => {
    const { socket } = await serve();
    const { config } = await codexOptions({ socket, env: { CODEX_AUTHD_ACCOUNT: 'play' } });
    expect(JSON.stringify(config)).toContain('"--account","work"');
  });
});
