import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { judgeClock } from '../../src/doctor/checks/network.js';
import { Patient } from './patient.js';

const CA = fileURLToPath(new URL('../support/tls/ca.pem', import.meta.url));

interface Asked {
  readonly url: string;
  readonly methods: (string | undefined)[];
}

/** A token endpoint with a certificate of a private authority, whose clock is off by so much. */
async function startPrivate(offsetMs = 0): Promise<Asked> {
  const [key, cert] = await Promise.all(
    ['server.key', 'server.pem'].map((name) => readFile(new URL(`../support/tls/${name}`, import.meta.url))),
  );
  const methods: (string | undefined)[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    methods.push(request.method);
    response.sendDate = false;
    response.writeHead(405, { date: new Date(Date.now() + offsetMs).toUTCString() }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `https://localhost:${String((server.address() as AddressInfo).port)}/oauth/token`, methods };
}

describe('what is found on the way to the token endpoint', () => {
  it('a certificate that is not known here, until its authority is named', async () => {
    const patient = await Patient.admit();
    const { url, methods } = await startPrivate();
    const env = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: url };
    const { level, command } = await patient.finding('token-endpoint', env);
    expect({ level, command }).toEqual({ level: 'fail', command: 'export CODEX_CA_CERTIFICATE=FILE' });
    const left = await patient.follow('export CODEX_CA_CERTIFICATE=FILE'.replace('FILE', `'${CA}'`), env);
    expect(await patient.finding('token-endpoint', left)).toMatchObject({ level: 'ok' });
    expect(new Set(methods)).toEqual(new Set(['HEAD']));
  });

  it('a proxy that does not answer, until it is unset', async () => {
    const patient = await Patient.admit();
    const { url } = await startPrivate();
    const env = {
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: url,
      CODEX_CA_CERTIFICATE: CA,
      https_proxy: 'http://127.0.0.1:1',
    };
    const { level, found, command } = await patient.finding('token-endpoint', env);
    expect({ level, command }).toEqual({ level: 'fail', command: 'unset https_proxy' });
    expect(found).toContain('through the proxy in https_proxy');
    const { https_proxy: gone, ...left } = await patient.follow(command, env);
    expect(gone).toBeUndefined();
    expect(await patient.finding('token-endpoint', left)).toMatchObject({ level: 'ok' });
  });

  it.each([
    ['SSL_CERT_FILE', '/nowhere/roots.pem'],
    ['CODEX_CA_CERTIFICATE', '/nowhere/roots.pem'],
    ['HTTPS_PROXY', 'no proxy: at all'],
  ])('a setting that cannot be used: %s, until it is unset', async (name, value) => {
    const patient = await Patient.admit();
    const env = { [name]: value, CODEX_REFRESH_TOKEN_URL_OVERRIDE: (await startPrivate()).url };
    const { level, command } = await patient.finding('token-endpoint', env);
    expect({ level, command }).toEqual({ level: 'fail', command: `unset ${name}` });
    expect(await patient.follow(command, env)).not.toHaveProperty(name);
  });

  it.each([
    ['a name that is not known', 'https://auth.example.invalid/oauth/token'],
    ['a server that does not run', 'http://127.0.0.1:1/'],
  ])('%s, with the request that shows it', async (_what, url) => {
    const patient = await Patient.admit();
    expect(await patient.finding('token-endpoint', { CODEX_REFRESH_TOKEN_URL_OVERRIDE: url })).toMatchObject({
      level: 'fail',
      command: `curl --head '${url}'`,
    });
  });

  it("a clock that is not the server's", async () => {
    const patient = await Patient.admit();
    const { url } = await startPrivate(-3_600_000);
    const env = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: url, CODEX_CA_CERTIFICATE: CA };
    expect(await patient.finding('clock', env)).toMatchObject({
      level: 'fail',
      found: expect.stringMatching(/^the clock is (3599|3600|3601) s ahead of the server's$/),
      command: 'sudo timedatectl set-ntp true',
    });
    expect(judgeClock(59_000, 'linux').level).toBe('ok');
    expect(judgeClock(61_000, 'darwin')).toMatchObject({
      level: 'warn',
      command: 'sudo sntp -sS time.apple.com',
    });
    expect(judgeClock(301_000, 'linux').level).toBe('fail');
  });
});
