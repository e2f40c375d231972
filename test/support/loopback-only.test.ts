import { execFile, execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup as lookUp, resolve4 } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect as connectTls } from 'node:tls';
import { request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { makeTempDir } from './temp-dir.js';

const REFUSED = /loopback-only: refused/;

/** Documentation addresses (RFC 5737, RFC 3849): nobody has them, should the guard fail. */
const OUTSIDE = '192.0.2.1';
const OUTSIDE_6 = '2001:db8::1';

function takeReport(): string {
  const path = process.env['LOOPBACK_ONLY_REPORT'] ?? '';
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, '');
  return text;
}

async function listening(server: Server, path?: string): Promise<AddressInfo | string> {
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const address = server.address();
  if (address === null) throw new Error('not listening');
  return address;
}

async function connects(target: { path: string } | { port: number; host?: string }): Promise<void> {
  const socket = connect(target);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.destroy();
}

describe('a test process', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('refuses TCP to another machine, in every form of connect', () => {
    const attempts = [
      () => connect(80, OUTSIDE),
      () => connect({ port: 80, host: OUTSIDE }),
      () => connect({ port: 80, host: OUTSIDE_6 }),
      () => connect({ port: 80, host: 'example.com' }),
      () => connectTls({ port: 443, host: OUTSIDE }),
      () => get(`http://${OUTSIDE}/`),
    ];
    for (const attempt of attempts) expect(attempt).toThrow(REFUSED);
    expect(takeReport().trimEnd().split('\n')).toHaveLength(attempts.length);
  });

  it('refuses what undici and fetch would do', async () => {
    await expect(request(`http://${OUTSIDE}/`)).rejects.toThrow(REFUSED);
    await expect(fetch(`http://${OUTSIDE}/`)).rejects.toMatchObject({
      cause: { message: expect.stringMatching(REFUSED) },
    });
    expect(takeReport()).toMatch(REFUSED);
  });

  it('refuses to resolve names and to send datagrams', () => {
    expect(() => lookUp('example.com')).toThrow(REFUSED);
    expect(() => resolve4('localhost')).toThrow(REFUSED);
    expect(() => createSocket('udp4')).toThrow(REFUSED);
    expect(takeReport()).toMatch(REFUSED);
  });

  it('answers a name under .invalid as a resolver would', async () => {
    await expect(connects({ host: 'nowhere.invalid', port: 80 })).rejects.toMatchObject({
      code: 'ENOTFOUND',
    });
    await expect(lookUp('nowhere.invalid')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(takeReport()).toBe('');
  });

  it('reaches loopback addresses, localhost and Unix sockets', async () => {
    await using directory = await makeTempDir();
    const tcp = createServer();
    const unix = createServer();
    servers.push(tcp, unix);
    const address = await listening(tcp);
    const path = await listening(unix, join(directory.path, 'a.sock'));
    if (typeof address === 'string' || typeof path !== 'string') throw new Error('not as asked');
    await connects({ port: address.port, host: '127.0.0.1' });
    await connects({ port: address.port, host: 'localhost' });
    await connects({ port: address.port });
    await connects({ path });
    expect(takeReport()).toBe('');
  });

  it('has a home of its own', () => {
    for (const name of ['HOME', 'CODEX_HOME', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_RUNTIME_DIR']) {
      expect(process.env[name]).toContain('authd-home-');
    }
    expect(process.env['CODEX_REFRESH_TOKEN_URL_OVERRIDE']).toBe('http://127.0.0.1:1/');
  });
});

describe('a process that a test starts', () => {
  it('refuses as well, and the attempt is reported to the test', async () => {
    const script = `require('node:net').connect(80, '${OUTSIDE}')`;
    const child = promisify(execFile)(process.execPath, ['-e', script]);
    await expect(child).rejects.toMatchObject({ stderr: expect.stringMatching(REFUSED) });
    expect(takeReport()).toMatch(REFUSED);
  });

  it('refuses also where it swallows the error', () => {
    execFileSync(process.execPath, ['-e', `fetch('http://${OUTSIDE}/').catch(() => {})`], {
      stdio: 'ignore',
    });
    expect(takeReport()).toMatch(REFUSED);
  });
});
