import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import {
  apiKeyFile,
  chatgptFile,
  deleteAuthFile,
  makeLoginTokens,
  writeAuthFile,
} from '../support/login-file.js';
import { scratchDir } from '../support/scratch-dir.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';
import { fingerprintOf } from '../support/tokens.js';

describe('what others write', () => {
  it('is given to nobody and sent nowhere where an old Codex has mixed two logins up', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const [ours, theirs] = [endpoint.login(), endpoint.login({ accountId: 'acct-other' })];
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(ours));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    await log.untilState('fresh');
    // Codex 0.163, which still has the other login in memory (facts 3.3).
    await writeAuthFile(daemon.authFile, chatgptFile({ ...theirs, account_id: ours.account_id }), 'in_place');
    await log.untilState('corrupt');
    for (const path of ['/v1/token', '/v1/credential']) {
      const problem = { status: 503, code: 'corrupt', reason: 'mixed_accounts', hint: 'run `codex login`' };
      expect((await daemon.ask(path)).json).toMatchObject(problem);
    }
    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(503);
    expect(endpoint.requests).toEqual([]);
    await writeAuthFile(daemon.authFile, chatgptFile(theirs));
    await log.until(({ event, data }) => event === 'credential' && data.account_id === 'acct-other');
  });

  it('is adopted without a request: a login, a rotation by Codex, another account, a logout, a key', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const daemon = await DaemonProcess.start({ tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    await log.untilState('logged_out');
    expect(await daemon.ask('/v1/credential')).toMatchObject({
      status: 503,
      json: { code: 'logged_out', reason: 'no_file' },
    });

    const login = endpoint.login();
    await writeAuthFile(daemon.authFile, chatgptFile(login));
    await log.until(({ data }) => data.fingerprint === fingerprintOf(login.access_token));
    await log.untilState('fresh');

    const rotated = endpoint.rotateElsewhere(login.refresh_token);
    await writeAuthFile(daemon.authFile, chatgptFile(rotated), 'in_place');
    await log.until(({ data }) => data.fingerprint === fingerprintOf(rotated.access_token));

    const other = endpoint.login({ accountId: 'acct-other', email: 'bob@example.test' });
    await writeAuthFile(daemon.authFile, chatgptFile(other));
    await log.until(({ data }) => data.account_id === 'acct-other');
    expect((await daemon.ask('/v1/credential')).json).toMatchObject({
      account_id: 'acct-other',
      generation: 3,
    });

    await deleteAuthFile(daemon.authFile);
    await log.until(
      ({ event, data }) => event === 'state' && data.state === 'logged_out' && data !== log.events[0]?.data,
    );
    expect(await daemon.ask('/v1/credential')).toMatchObject({ status: 503, json: { code: 'logged_out' } });

    await writeAuthFile(daemon.authFile, apiKeyFile('sk-test'));
    await log.until(({ event, data }) => event === 'credential' && data.access_token === 'sk-test');
    expect((await daemon.ask('/v1/credential')).json).toMatchObject({
      expires_at: null,
      base_url: 'https://api.openai.com/v1',
      account_id: null,
    });
    expect(await daemon.account()).toMatchObject({
      login: 'api_key',
      reason: 'does_not_expire',
      next_rotation_at: null,
    });
    expect(endpoint.requests).toEqual([]);
  });

  it('is found when the home itself appears only later', async () => {
    const sandbox = await ownSandbox();
    const home = join(sandbox.directory, 'not', 'yet');
    const daemon = await DaemonProcess.start({ sandbox, args: ['--codex-home', home] });
    const log = daemon.listen();
    await log.untilState('logged_out');
    await mkdir(home, { recursive: true });
    await writeAuthFile(join(home, 'auth.json'), chatgptFile(makeLoginTokens()));
    await log.untilState('fresh');
  });

  it('is found behind a symbolic link, which stays one when the daemon rotates', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const [elsewhere, further] = [await scratchDir(), await scratchDir()];
    await symlink(join(elsewhere, 'real.json'), join(sandbox.codexHome, 'auth.json'));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    await writeAuthFile(join(elsewhere, 'real.json'), chatgptFile(endpoint.login()));
    await log.untilState('fresh');
    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(200);
    expect(await readFile(join(elsewhere, 'real.json'), 'utf8')).toBe(
      await readFile(daemon.authFile, 'utf8'),
    );

    const other = endpoint.login({ accountId: 'acct-other' });
    await writeAuthFile(join(further, 'other.json'), chatgptFile(other));
    await symlink(join(further, 'other.json'), `${daemon.authFile}.new`);
    await rename(`${daemon.authFile}.new`, daemon.authFile);
    await log.until(({ data }) => data.account_id === 'acct-other');
  });

  it.each([
    ['a keyring', 'keyring', 'unsupported'],
    ['nowhere but in memory', 'ephemeral', 'unsupported'],
    ['the file', 'file', 'logged_out'],
  ])('is missed with the right reason when Codex keeps its login in %s', async (_where, store, state) => {
    const sandbox = await ownSandbox();
    await writeFile(join(sandbox.codexHome, 'config.toml'), `cli_auth_credentials_store = "${store}"\n`);
    const daemon = await DaemonProcess.start({ sandbox });
    expect(await daemon.account()).toMatchObject({ state, serving: false });
    expect(await daemon.ask('/v1/token')).toMatchObject({ status: 503, json: { code: state } });
  });

  it.each([
    ['agent_identity', '{"auth_mode":"agentIdentity","agent_identity":{}}'],
    ['bedrock', '{"auth_mode":"bedrockApiKey","bedrock_api_key":"k"}'],
    ['headers', '{"auth_mode":"headers"}'],
    ['published_file', '{"auth_mode":"chatgptAuthTokens","tokens":{"access_token":"a","refresh_token":""}}'],
    ['unknown_mode', '{"auth_mode":"of tomorrow"}'],
  ])('is told apart when it is of a kind that cannot be kept: %s', async (reason, text) => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), text);
    const daemon = await DaemonProcess.start({ sandbox });
    expect(await daemon.ask('/v1/credential')).toMatchObject({
      status: 503,
      json: { code: 'unsupported', reason, hint: expect.any(String) as string },
    });
  });

  it('revives an account whose refresh token was rejected', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const dead = endpoint.login();
    endpoint.endLogin(dead.refresh_token);
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(dead));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(503);
    await log.untilState('login_required');
    expect((await daemon.ask('/v1/credential')).status).toBe(200);
    await rm(daemon.authFile);
    await writeAuthFile(daemon.authFile, chatgptFile(endpoint.login()));
    await log.until(({ event, data }) => event === 'credential' && data.generation === 2);
    expect((await daemon.account()).state).toBe('fresh');
  });
});
