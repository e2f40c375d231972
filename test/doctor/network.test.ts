import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { judgeClock } from '../../src/doctor/checks/network.js';
import { runCli } from '../cli/run-cli.js';
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

const RESTART = 'codex-authd down && codex-authd up';

/** In the background, with these variables, as long as the test runs. */
async function startDaemon(patient: Patient, env: Readonly<Record<string, string>>): Promise<void> {
  await writeFile(join(patient.bin, 'no-manager'), '');
  onTestFinished(() => patient.follow('codex-authd down').then(() => undefined));
  await patient.follow('codex-authd up', env);
}

async function environmentOf(patient: Patient): Promise<string> {
  const { stdout } = await runCli(patient.sandbox, ['status', '--json']);
  const { pid } = JSON.parse(stdout) as { pid: number };
  return readFile(`/proc/${String(pid)}/environ`, 'utf8');
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

  it('that the daemon finds no way where there is one from here, until it is started from here', async () => {
    const patient = await Patient.admit();
    const broken = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'http://127.0.0.1:1/' };
    await startDaemon(patient, broken);
    await expect(patient.follow('codex-authd refresh', broken)).rejects.toThrow('failed');
    const { level, found, command } = await patient.finding('login');
    expect({ level, command }).toEqual({ level: 'warn', command: RESTART });
    expect(found).toContain('from here, it is reached');
    await patient.follow(command);
    await patient.follow('codex-authd refresh');
    expect(await patient.finding('login')).toMatchObject({ level: 'ok' });
  });

  it('a proxy that does not answer, until it is unset, for the daemon that runs as well', async () => {
    const patient = await Patient.admit();
    const { url } = await startPrivate();
    const env = {
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: url,
      CODEX_CA_CERTIFICATE: CA,
      https_proxy: 'http://127.0.0.1:1',
    };
    await startDaemon(patient, env);
    const before = await environmentOf(patient);
    expect(before).toContain('https_proxy=http://127.0.0.1:1');
    const { command } = await patient.finding('token-endpoint', env);
    expect(command).toBe(`unset https_proxy && ${RESTART}`);
    await patient.follow(command, env);
    const after = await environmentOf(patient);
    expect(after).toContain(`CODEX_CA_CERTIFICATE=${CA}`);
    expect(after).not.toContain('https_proxy');
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
