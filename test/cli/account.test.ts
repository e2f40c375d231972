import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSandbox, runCli, startCli, type Sandbox } from './run-cli.js';
import {
  ACCOUNT,
  CREDENTIAL,
  event,
  events,
  json,
  startScriptedDaemon,
  statusBody,
  type ScriptedDaemon,
} from './scripted-daemon.js';

const WORK = { ...CREDENTIAL, account: 'work' };
const env = { CODEX_AUTHD_ACCOUNT: 'work' };

let sandbox: Sandbox;
let daemon: ScriptedDaemon;

beforeEach(async () => {
  sandbox = await makeSandbox();
  daemon = await startScriptedDaemon(sandbox.socket, {
    'GET /v1/credential': json(WORK),
    'POST /v1/refresh': json(WORK),
    'PUT /v1/published': json({ ...WORK, directory: '/srv/home', auth_file: '/srv/home/auth.json' }),
    'GET /v1/events': events(event('state', { ...ACCOUNT, account: 'work' })),
    'GET /v1/status': json(statusBody(sandbox.socket, [ACCOUNT, { ...ACCOUNT, account: 'work' }])),
  });
});

afterEach(async () => {
  await daemon.close();
  await sandbox.remove();
});

describe('CODEX_AUTHD_ACCOUNT', () => {
  it.each([
    ['token', ['token'], 'GET /v1/credential?account=work'],
    ['credential', ['credential'], 'GET /v1/credential?account=work'],
    ['refresh', ['refresh'], 'POST /v1/refresh?account=work'],
    ['exec', ['exec', '--', 'true'], 'GET /v1/credential?account=work'],
    ['codex-config', ['codex-config'], 'GET /v1/credential?account=work'],
    ['publish', ['publish', '/srv/home'], 'PUT /v1/published?account=work'],
  ])('names the account that `%s` means', async (_name, args, request) => {
    expect(await runCli(sandbox, args, { env })).toMatchObject({ code: 0, stderr: '' });
    expect(daemon.requests).toEqual([request]);
  });

  it('names it to `token --codex` as well', async () => {
    await runCli(sandbox, ['token', '--codex'], { env });
    const [asked = ''] = daemon.requests;
    expect(new URL(asked.split(' ')[1] ?? '', 'http://localhost').searchParams.get('account')).toBe('work');
  });

  it('names it to `watch`', async () => {
    const cli = startCli(sandbox, ['watch'], { env });
    await cli.stdoutUntil((stdout) => stdout.includes('state fresh'));
    cli.process.kill('SIGTERM');
    expect(await cli.ended).toMatchObject({ code: 0 });
    expect(daemon.requests).toEqual(['GET /v1/events?account=work']);
  });

  it('lets `status` show that account alone', async () => {
    const { stdout } = await runCli(sandbox, ['status', '--json'], { env });
    expect(JSON.parse(stdout)).toMatchObject({ accounts: [{ account: 'work' }] });
  });

  it('yields to --account, and counts as absent where it is empty', async () => {
    await runCli(sandbox, ['token', '--account', 'play'], { env });
    await runCli(sandbox, ['token'], { env: { CODEX_AUTHD_ACCOUNT: '' } });
    expect(daemon.requests).toEqual(['GET /v1/credential?account=play', 'GET /v1/credential']);
  });

  it('means nothing to the daemon: `run` keeps all that is configured', async () => {
    const socket = `${sandbox.directory}/other.sock`;
    const running = startCli(sandbox, ['run', '--socket', socket], { env });
    await running.stderrUntil((log) => log.includes('"msg":"listening"'));
    running.process.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
  });
});
