import { existsSync } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';

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

  it('never makes anything under the names that Codex locks', async () => {
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
    await DaemonProcess.start({ sandbox });
    const names = await readdir(sandbox.codexHome);
    expect(names).not.toContain('auth.lock');
    expect(names).not.toContain('auth.json.lock');
    const owner: unknown = JSON.parse(
      await readFile(join(sandbox.codexHome, 'auth.json.codex-authd.owner'), 'utf8'),
    );
    expect(owner).toMatchObject({ socket: sandbox.socket });
  });
});
