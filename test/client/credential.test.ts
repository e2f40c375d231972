import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { AuthdError, readCredential, type CredentialBody } from '../../src/index.js';
import { CREDENTIAL, json, startScriptedDaemon, type ScriptedDaemon } from '../cli/scripted-daemon.js';
import { makeTempDir, type TempDir } from '../support/temp-dir.js';

let directory: TempDir;
let daemon: ScriptedDaemon | undefined;

beforeEach(async () => {
  directory = await makeTempDir();
});

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
  delete process.env['CODEX_AUTHD_SOCKET'];
  await directory.remove();
});

async function serve(body: unknown = CREDENTIAL): Promise<ScriptedDaemon> {
  daemon = await startScriptedDaemon(join(directory.path, 'authd.sock'), {
    'GET /v1/credential': json(body),
  });
  return daemon;
}

describe('readCredential', () => {
  it('gives the credential that the daemon gives', async () => {
    const { socket, requests } = await serve();
    expect(await readCredential({ socket })).toEqual(CREDENTIAL);
    expect(requests).toEqual(['GET /v1/credential']);
  });

  it('finds the socket in the environment', async () => {
    process.env['CODEX_AUTHD_SOCKET'] = (await serve()).socket;
    expect(await readCredential()).toEqual(CREDENTIAL);
  });

  it('asks for an account, a validity and a wait', async () => {
    const { socket, requests } = await serve({ ...CREDENTIAL, account: 'a&b' });
    await readCredential({ socket, account: 'a&b', minValid: 0, wait: 600 });
    expect(requests).toEqual(['GET /v1/credential?account=a%26b&min_valid=0&wait=600']);
  });

  it.each([
    { minValid: -1 },
    { minValid: 0.5 },
    { minValid: NaN },
    { minValid: Infinity },
    { minValid: 30 * 24 * 3600 + 1 },
    { wait: -1 },
    { wait: 601 },
  ])('refuses %j without asking', async (options) => {
    const { socket, requests } = await serve();
    await expect(readCredential({ socket, ...options })).rejects.toMatchObject({ code: 'bad_request' });
    expect(requests).toEqual([]);
  });

  it('refuses a socket path that the system would cut off, without asking', async () => {
    await expect(readCredential({ socket: `/tmp/${'x'.repeat(200)}` })).rejects.toMatchObject({
      code: 'bad_configuration',
    });
  });

  it('fails with an AuthdError that says what to do', async () => {
    const asked = readCredential({ socket: join(directory.path, 'none') });
    await expect(asked).rejects.toBeInstanceOf(AuthdError);
    await expect(asked).rejects.toMatchObject({
      code: 'daemon_not_running',
      hint: 'start it with `codex-authd up`',
    });
  });

  it('gives up when the caller does', async () => {
    const { socket } = await serve();
    await expect(readCredential({ socket, signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
  });

  it('takes fields that it does not know', async () => {
    const { socket } = await serve({ ...CREDENTIAL, colour: 'blue' });
    expect(await readCredential({ socket })).toMatchObject(CREDENTIAL);
  });

  it.each<[string, Partial<Record<keyof CredentialBody, unknown>>]>([
    ['another account', { account: 'other' }],
    ['no token', { access_token: undefined }],
    ['an empty token', { access_token: '' }],
    ['a token of two lines', { access_token: 'a\nb' }],
    ['a token with a space', { access_token: 'a b' }],
    ['another type of token', { token_type: 'mac' }],
    ['an expiry that is a number', { expires_at: 1 }],
    ['an expiry that is no time', { expires_at: 'soon' }],
    ['an account id that is no header', { account_id: 'a\r\nb' }],
    ['a negative generation', { generation: -1 }],
    ['a fingerprint of another length', { fingerprint: 'abc' }],
    ['a base URL that is none', { base_url: 'javascript:alert(1)' }],
  ])('takes no credential with %s', async (_name, field) => {
    const { socket } = await serve({ ...CREDENTIAL, ...field });
    await expect(readCredential({ socket, account: 'default' })).rejects.toMatchObject({
      code: 'bad_answer',
    });
  });
});
