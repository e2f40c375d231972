import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';
import { CREDENTIAL, json, problem, startScriptedDaemon, type ScriptedDaemon } from './scripted-daemon.js';

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

it('credential prints the whole credential as one line of JSON, with --json or without', async () => {
  daemon = await startScriptedDaemon(sandbox.socket);
  const plain = await runCli(sandbox, ['credential']);
  expect(plain).toEqual({ code: 0, signal: null, stdout: `${JSON.stringify(CREDENTIAL)}\n`, stderr: '' });
  expect(await runCli(sandbox, ['credential', '--json', '--min-valid', '10'])).toEqual(plain);
  expect(daemon.requests).toEqual(['GET /v1/credential', 'GET /v1/credential?min_valid=10']);
});

it('credential shows a static credential, which has neither expiry nor account', async () => {
  const body = { ...CREDENTIAL, expires_at: null, account_id: null, plan: null };
  daemon = await startScriptedDaemon(sandbox.socket, { 'GET /v1/credential': json(body) });
  const { code, stdout } = await runCli(sandbox, ['credential']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(body);
});

it('credential prints nothing on stdout if it fails', async () => {
  expect(await runCli(sandbox, ['credential'])).toMatchObject({ code: 3, stdout: '' });
});

it('refresh asks for a rotation and says what is new, without the token', async () => {
  daemon = await startScriptedDaemon(sandbox.socket);
  const { code, stdout, stderr } = await runCli(sandbox, ['refresh', '--wait', '9']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^new credential: generation 9, fingerprint ba9876543210, expires in \d+ d( \d+ h)? \(2199-12-02 17:03:12 \+00:00\)\n$/,
  );
  expect(daemon.requests).toEqual(['POST /v1/refresh?wait=9']);
});

it('refresh --json gives the new credential without the token', async () => {
  daemon = await startScriptedDaemon(sandbox.socket);
  const { code, stdout, stderr } = await runCli(sandbox, ['refresh', '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { access_token: _token, ...rest } = CREDENTIAL;
  expect(JSON.parse(stdout)).toEqual({ ...rest, generation: 9, fingerprint: 'ba9876543210' });
});

it('refresh says when it is asked too often', async () => {
  daemon = await startScriptedDaemon(sandbox.socket, {
    'POST /v1/refresh': problem(429, 'rate_limited', 'the last refresh was less than 5 s ago', {
      hint: 'use the credential that is served',
    }),
  });
  expect(await runCli(sandbox, ['refresh'])).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr:
      'codex-authd: error: the last refresh was less than 5 s ago\n' +
      'codex-authd: hint: use the credential that is served\n',
  });
});
