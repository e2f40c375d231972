import { constants, existsSync } from 'node:fs';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemFileSystem } from '../../src/os/file-system.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

describe('one daemon for an account', () => {
  it('sends a second one away, at once, with the name of who is there', async () => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
    const first = await DaemonProcess.start({ sandbox });
    const other = join(sandbox.directory, 'other', 'authd.sock');
    const second = await DaemonProcess.spawn({ sandbox, args: ['--socket', other] });
    const { code, stderr } = await second.cli.ended;
    expect(code).toBe(1);
    expect(stderr).toContain(`pid ${String(first.cli.process.pid)}`);
    expect(stderr).toMatch(/^codex-authd: hint: .+`kill \d+`$/m);
    expect((await first.ask('/v1/token')).status).toBe(200);
  });

  it('leaves nothing behind but the login when it stops', async () => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
    const daemon = await DaemonProcess.start({ sandbox });
    expect((await stat(daemon.socket)).mode & 0o777).toBe(0o600);
    expect((await stat(join(daemon.socket, '..'))).mode & 0o777).toBe(0o700);
    expect(await daemon.stop()).toMatchObject({ code: 0, stdout: '' });
    expect(await readdir(sandbox.codexHome)).toEqual(['auth.json']);
    expect(existsSync(daemon.socket)).toBe(false);
    expect(await readdir(join(daemon.socket, '..'))).toEqual([]);
  });

  it('stops at once on a second signal where nothing can be lost', async () => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
    const begun = join(sandbox.directory, 'begun');
    const hook = `touch '${begun}'; exec sleep 60`;
    await mkdir(dirname(sandbox.configFile), { recursive: true });
    await writeFile(sandbox.configFile, `on_event = ["/bin/sh", "-c", ${JSON.stringify(hook)}]\n`);
    const daemon = await DaemonProcess.start({ sandbox });
    await writeAuthFile(daemon.authFile, chatgptFile(makeLoginTokens()));
    while (!existsSync(begun)) await daemon.ask('/healthz');
    daemon.cli.process.kill('SIGTERM');
    await daemon.logged('stopping');
    expect(await daemon.stop('SIGTERM')).toMatchObject({ code: 1 });
  });

  it('takes over from one that was killed: lock, socket and numbering', async () => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
    const killed = await DaemonProcess.start({ sandbox });
    const before = await killed.ask('/v1/credential');
    await killed.stop('SIGKILL');
    expect(existsSync(killed.socket)).toBe(true);
    const successor = await DaemonProcess.start({ sandbox });
    expect((await successor.ask('/v1/credential')).text).toBe(before.text);
    await successor.stop();
    expect(await readdir(sandbox.codexHome)).toEqual(['auth.json']);
  });

  it('does not repeat what one was doing that was killed while it waited for the server', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const issuedAtMs = Date.now() - 48 * 60 * 1000;
    const refreshToken = endpoint.login().refresh_token;
    const tokens = makeLoginTokens({ issuedAtMs, lifetimeSeconds: 3600, refreshToken });
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(tokens));
    const gate = endpoint.holdNext();
    const killed = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await gate.arrived;
    await killed.stop('SIGKILL');
    const successor = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    expect(await successor.account()).toMatchObject({
      state: 'degraded',
      reason: 'outcome_unknown',
      serving: true,
    });
    expect((await successor.ask('/v1/token')).text).toBe(`${tokens.access_token}\n`);
    expect(await successor.ask('/v1/refresh', 'POST')).toMatchObject({
      status: 503,
      json: { reason: 'outcome_unknown' },
    });
    expect(endpoint.requests).toHaveLength(1);
  });

  it('makes nothing but regular files under the names that Codex locks', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    expect(await readdir(sandbox.codexHome)).not.toContain('auth.json.lock');
    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(200);
    for (const name of ['auth.lock', 'auth.json.lock']) {
      expect((await stat(join(sandbox.codexHome, name))).isFile()).toBe(true);
    }
    const owner: unknown = JSON.parse(
      await readFile(join(sandbox.codexHome, 'auth.json.codex-authd.owner'), 'utf8'),
    );
    expect(owner).toMatchObject({ socket: sandbox.socket });
  });

  it('spends no token while a Codex holds them', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    await writeAuthFile(path, chatgptFile(endpoint.login()));
    const codex = await systemFileSystem.open(`${path}.lock`, constants.O_RDWR | constants.O_CREAT, 0o600);
    expect(await codex.tryLock()).toBe(true);
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const reply = await daemon.ask('/v1/refresh', 'POST');
    expect(reply).toMatchObject({ status: 503, json: { reason: 'storage_unavailable' } });
    expect(endpoint.requests).toEqual([]);
    await codex.close();
  });

  it('waits for a Codex that takes them meanwhile, and serves the new token from the journal meanwhile', async () => {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    await writeAuthFile(path, chatgptFile(endpoint.login()));
    const before = await readFile(path, 'utf8');
    const gate = endpoint.holdNext();
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    const log = daemon.listen();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    const codex = await systemFileSystem.open(`${path}.lock`, constants.O_RDWR | constants.O_CREAT, 0o600);
    expect(await codex.tryLock()).toBe(true);
    gate.open();
    expect(await refreshed).toMatchObject({ status: 200, json: { generation: 2 } });
    await log.until(({ event, data }) => event === 'state' && data.reason === 'not_stored');
    expect(await readFile(path, 'utf8')).toBe(before);
    await codex.close();
    await log.until(
      ({ event, data }) => event === 'state' && data.written_by === 'codex-authd' && data.state === 'fresh',
    );
    expect(await readFile(path, 'utf8')).toContain((await daemon.ask('/v1/token')).text.trim());
    expect(endpoint.requests).toHaveLength(1);
  });
});
