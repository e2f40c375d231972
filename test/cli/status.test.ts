import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountStatus } from '../../src/protocol.js';
import { readVersion } from '../../src/version.js';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';
import {
  ACCOUNT,
  json,
  problem,
  startScriptedDaemon,
  statusBody,
  type ScriptedDaemon,
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

async function listen(...accounts: AccountStatus[]): Promise<void> {
  daemon = await startScriptedDaemon(sandbox.socket, {
    'GET /v1/status': json({ ...statusBody(sandbox.socket, accounts), version: readVersion() }),
  });
}

const REJECTED: AccountStatus = {
  ...ACCOUNT,
  state: 'login_required',
  reason: 'refresh_token_rejected',
  detail: 'the server no longer accepts the refresh token (refresh_token_reused)',
  hint: 'run `codex login`',
  next_rotation_at: null,
};

const LOGGED_OUT: AccountStatus = {
  ...REJECTED,
  state: 'logged_out',
  reason: 'no_file',
  detail: 'there is no auth.json',
  serving: false,
  serves_until: null,
  login: null,
  email: null,
  account_id: null,
  plan: null,
  generation: null,
  fingerprint: null,
  issued_at: null,
  expires_at: null,
  last_rotation_at: null,
  written_by: null,
  written_at: null,
  counts: { own: 0, adopted: 0, requests: 0, failures: 0, rejections: 0 },
};

describe('status of a running daemon', () => {
  it('gives the verdict first, then the lines, and exits with 0 if a credential is served', async () => {
    await listen(ACCOUNT);
    const { code, stdout, stderr } = await runCli(sandbox, ['status']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.replace(/\d+ d( \d+ h)?|\d+ (min|h|s)( \d+ (min|s))?/g, 'SPAN').split('\n');
    expect(lines).toEqual([
      'fresh: the access token is valid',
      '  account        ada@example.com (acc-0001)',
      '  plan           pro',
      '  expires        2199-12-02 17:03:12 +00:00 (in SPAN)',
      '  next rotation  2199-11-30 05:03:12 +00:00 (in SPAN)',
      expect.stringMatching(/^ {2}last rotation {2}2026-11-22 17:03:12 \+00:00 \((SPAN ago|in SPAN|now)\)$/),
      expect.stringMatching(/^ {2}written by {5}codex-authd, (SPAN ago|in SPAN|now)$/),
      '  rotations      1 by this daemon, 2 by others (4 requests, 3 failed) since it started',
      '  auth file      /home/ada/.codex/auth.json',
      `  socket         ${sandbox.socket}`,
      expect.stringMatching(
        /^ {2}daemon {9}\d+\.\d+\.\d+ \(pid 4711, node v20\.20\.2\), started (SPAN ago|in SPAN|now)$/,
      ),
      `  command line   ${readVersion()} (node ${process.version})`,
      '',
    ]);
  });

  it('says that the clock of the machine is wrong, and reckons with the right time', async () => {
    const expiresAtMs = Math.floor(Date.now() / 1000) * 1000 + 5 * 3600_000;
    await listen({
      ...ACCOUNT,
      expires_at: new Date(expiresAtMs + 30_000).toISOString(),
      clock_offset_seconds: 3 * 3600,
    });
    const { stdout } = await runCli(sandbox, ['status']);
    expect(stdout).toMatch(/^ {2}expires .* \(in 2 h\)$/m);
    expect(stdout).toContain("  clock          3 h behind the server's\n");
  });

  it('shows times in the local time zone', async () => {
    await listen(ACCOUNT);
    const { stdout } = await runCli(sandbox, ['status'], { env: { TZ: 'Asia/Kolkata' } });
    expect(stdout).toContain('  expires        2199-12-02 22:33:12 +05:30 (in ');
  });

  it('gives the body of the daemon with --json', async () => {
    await listen(ACCOUNT);
    const { code, stdout, stderr } = await runCli(sandbox, ['status', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      ...statusBody(sandbox.socket),
      version: readVersion(),
      daemon: 'running',
    });
  });

  it('exits with 4 if a login is needed, and says until when the old one is still served', async () => {
    await listen(REJECTED);
    const { code, stdout, stderr } = await runCli(sandbox, ['status']);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^login_required: the server no longer accepts the refresh token/);
    expect(stdout).toContain('  served until   2199-12-02 17:03:12 +00:00 (in ');
    expect(stdout).toContain('  next rotation  none planned\n');
    expect(stderr).toBe('codex-authd: hint: run `codex login`\n');
  });

  it('exits with 4 if nobody is logged in, and leaves out what there is not', async () => {
    await listen(LOGGED_OUT);
    const { code, stdout, stderr } = await runCli(sandbox, ['status']);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^logged_out: there is no auth\.json\n {2}auth file {6}\S+\n {2}socket/);
    expect(stderr).toBe('codex-authd: hint: run `codex login`\n');
  });

  it('exits with 1 if nothing can be served for another reason', async () => {
    await listen({ ...ACCOUNT, state: 'degraded', reason: 'offline', detail: 'offline', serving: false });
    expect(await runCli(sandbox, ['status'])).toMatchObject({ code: 1 });
  });

  it('exits with 0 if it has trouble, but serves', async () => {
    await listen({ ...ACCOUNT, state: 'degraded', reason: 'offline', detail: 'offline' });
    expect(await runCli(sandbox, ['status'])).toMatchObject({ code: 0 });
  });

  it('calls an API key one, and knows of no rotations', async () => {
    await listen({
      ...ACCOUNT,
      reason: 'does_not_expire',
      login: 'api_key',
      email: null,
      account_id: null,
      plan: null,
      expires_at: null,
      serves_until: null,
      next_rotation_at: null,
      last_rotation_at: null,
    });
    const { code, stdout } = await runCli(sandbox, ['status']);
    expect(code).toBe(0);
    expect(stdout).toContain('  account        an API key\n  expires        never\n  written by');
  });

  it('shows every account, or the one that is named', async () => {
    await listen(ACCOUNT, { ...REJECTED, account: 'work' });
    const all = await runCli(sandbox, ['status']);
    expect(all.code).toBe(4);
    expect(all.stdout).toMatch(/^default: fresh: [^]*\nwork: login_required: [^]*\ndaemon\n/);
    expect(all.stderr).toBe('codex-authd: hint: work: run `codex login`\n');

    const one = await runCli(sandbox, ['status', '--account', 'default', '--json']);
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toMatchObject({ accounts: [{ account: 'default' }] });

    expect(await runCli(sandbox, ['status', '--account', 'wrok'])).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        'codex-authd: error: the daemon keeps no account "wrok"\n' +
        'codex-authd: hint: it keeps: "default", "work"\n',
    });
  });

  it('strips control characters from what stands in the login', async () => {
    await listen({ ...ACCOUNT, email: 'ada\u001b]0;owned\u0007@example.com', plan: 'p\u202er\no' });
    const { stdout } = await runCli(sandbox, ['status']);
    expect(stdout).toContain('  account        ada]0;owned@example.com (acc-0001)\n  plan           pr o\n');
    const { stdout: asJson } = await runCli(sandbox, ['status', '--json']);
    expect(asJson).not.toMatch(/[\p{Cc}\p{Bidi_Control}]./u);
    expect(JSON.parse(asJson)).toMatchObject({ accounts: [{ plan: 'p\u202er\no' }] });
  });

  it('takes no status of another schema', async () => {
    daemon = await startScriptedDaemon(sandbox.socket, {
      'GET /v1/status': json({ ...statusBody(sandbox.socket), schema: 2 }),
    });
    const { code, stdout, stderr } = await runCli(sandbox, ['status']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('it is not a status');
  });

  it('exits with 1 if the daemon fails to say', async () => {
    daemon = await startScriptedDaemon(sandbox.socket, {
      'GET /v1/status': problem(500, 'internal', 'the daemon has a fault'),
    });
    expect(await runCli(sandbox, ['status'])).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('status without a daemon', () => {
  it('says that first, then what stands in auth.json, then how to start one, and exits with 3', async () => {
    await writeFile(join(sandbox.codexHome, 'auth.json'), JSON.stringify({ OPENAI_API_KEY: 'sk-test' }));
    const { code, stdout, stderr } = await runCli(sandbox, ['status']);
    expect(code).toBe(3);
    const [verdict, file] = stdout.split('\n');
    expect(verdict).toBe(`not running: no daemon answers on ${sandbox.socket}`);
    expect(file).toMatch(/^ {2}auth\.json {6}fresh: /);
    expect(stdout).toContain('  account        an API key\n');
    expect(stdout).toContain(`  auth file      ${join(sandbox.codexHome, 'auth.json')}\n`);
    expect(stdout).not.toContain('sk-test');
    expect(stderr).toBe('codex-authd: hint: start it with `codex-authd up`\n');
  });

  it('gives the same as JSON with --json', async () => {
    const { code, stdout, stderr } = await runCli(sandbox, ['status', '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      daemon: 'not running',
      accounts: [{ account: 'default', state: 'logged_out', reason: 'no_file' }],
    });
    expect(stderr).toBe(
      'codex-authd: hint: run `codex login`\ncodex-authd: hint: start it with `codex-authd up`\n',
    );
  });

  it('reads the file in the directory that --codex-home names', async () => {
    const { code, stdout } = await runCli(sandbox, [
      '--codex-home',
      join(sandbox.directory, 'elsewhere'),
      'status',
    ]);
    expect(code).toBe(3);
    expect(stdout).toContain(join(sandbox.directory, 'elsewhere', 'auth.json'));
  });
});
