import { chmod, chown, cp, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findLastingHolder, judgeHolder, judgeRival } from '../../src/doctor/checks/locks.js';
import { holdersIn } from '../../src/os/lock-holders.js';
import { runCli } from '../cli/run-cli.js';
import { startScriptedDaemon, json, statusBody } from '../cli/scripted-daemon.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { installUnit, startRival } from './scenery.js';
import { Patient } from './patient.js';

/** The command of this package, as another version of it. */
async function copyOfVersion(version: string, directory: string): Promise<string> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const copy = join(directory, 'codex-authd-of-before');
  for (const part of ['bin', 'dist']) await cp(join(root, part), join(copy, part), { recursive: true });
  const manifest: object = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await writeFile(join(copy, 'package.json'), JSON.stringify({ ...manifest, version }));
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  return join(copy, 'bin', 'codex-authd.js');
}

describe('what is found of the daemon', () => {
  it('that it does not run, until it does', async () => {
    const patient = await Patient.admit();
    await writeFile(join(patient.bin, 'no-manager'), '');
    const { level, command } = await patient.finding('socket');
    expect({ level, command }).toEqual({ level: 'fail', command: 'codex-authd up' });
    await patient.follow(command);
    expect(await patient.finding('socket')).toMatchObject({ level: 'ok' });
    expect(await patient.finding('service')).toMatchObject({ level: 'ok' });
    await patient.follow('codex-authd down');
  });

  it('that it runs and does not answer, until it is replaced', async () => {
    const patient = await Patient.admit();
    await writeFile(join(patient.bin, 'no-manager'), '');
    await patient.follow('codex-authd up');
    const status = await runCli(patient.sandbox, ['status', '--json']);
    const { pid } = JSON.parse(status.stdout) as { pid: number };
    onTestFinished(() => patient.follow('codex-authd down').then(() => undefined));
    process.kill(pid, 'SIGSTOP');
    const cure = `kill -KILL ${String(pid)} && codex-authd up`;
    for (const id of ['socket', 'account-lock']) {
      expect(await patient.finding(id)).toMatchObject({
        level: 'fail',
        found: expect.stringContaining('does not answer'),
        command: cure,
      });
    }
    await patient.follow(cure);
    for (const id of ['socket', 'account-lock', 'login']) {
      expect(await patient.finding(id)).toMatchObject({ level: 'ok' });
    }
  });

  it('a socket whose path is too long for one, until another is chosen', async () => {
    const patient = await Patient.admit();
    const env = { CODEX_AUTHD_SOCKET: `/tmp/${'x'.repeat(120)}` };
    const { level, command } = await patient.finding('socket', env);
    expect(level).toBe('fail');
    const left = await patient.follow(command, env);
    expect(await patient.finding('socket', left)).toMatchObject({ command: 'codex-authd up' });
  });

  it('a directory of the socket that others may enter, until it is closed', async () => {
    const patient = await Patient.admit();
    await chmod(dirname(patient.sandbox.socket), 0o755);
    const { level, command } = await patient.finding('socket-directory');
    expect(level).toBe('fail');
    await patient.follow(command);
    expect(await patient.finding('socket-directory')).toMatchObject({ level: 'ok' });
  });

  it.runIf(process.getuid?.() === 0)('a directory of the socket that is somebody else’s', async () => {
    const patient = await Patient.admit();
    await chown(dirname(patient.sandbox.socket), 65534, 65534);
    const { level, command } = await patient.finding('socket-directory');
    expect(level).toBe('fail');
    const left = await patient.follow(command);
    expect(await patient.finding('socket-directory', left)).toMatchObject({ level: 'ok' });
  });

  it("a socket in a directory that is everybody's, until another is chosen", async () => {
    const patient = await Patient.admit();
    const env = { CODEX_AUTHD_SOCKET: '/tmp/authd.sock' };
    const { level, command } = await patient.finding('socket-directory', env);
    expect(level).toBe('fail');
    const left = await patient.follow(command, env);
    expect(await patient.finding('socket-directory', left)).toMatchObject({ level: 'ok' });
  });

  it('a daemon of another version, until it is replaced', async () => {
    const patient = await Patient.admit();
    await writeFile(join(patient.bin, 'no-manager'), '');
    const older = await copyOfVersion('0.0.9', patient.sandbox.directory);
    await patient.follow(`'${process.execPath}' '${older}' up`);
    const { level, command } = await patient.finding('daemon-version');
    expect({ level, command }).toEqual({ level: 'warn', command: 'codex-authd down && codex-authd up' });
    await patient.follow(command);
    expect(await patient.finding('daemon-version')).toMatchObject({ level: 'ok' });
    await patient.follow('codex-authd down');
    await installUnit(patient, '/usr/bin/env codex-authd run');
    const { socket } = patient.sandbox;
    const daemon = await startScriptedDaemon(socket, {
      'GET /v1/status': json({ ...statusBody(socket), version: '0.0.9' }),
    });
    onTestFinished(() => daemon.close());
    expect(await patient.finding('daemon-version')).toMatchObject({ command: 'codex-authd up' });
  });

  it('another daemon that keeps the same file, until it is ended', async () => {
    const patient = await Patient.admit();
    const args = ['--socket', join(patient.sandbox.directory, 'run', 'codex-authd', 'other.sock')];
    const other = await DaemonProcess.start({
      sandbox: patient.sandbox,
      tokenEndpoint: patient.endpoint.url,
      args,
    });
    const { level, command } = await patient.finding('account-lock');
    expect({ level, command }).toEqual({ level: 'fail', command: `kill ${String(other.pid)}` });
    await patient.follow(command);
    await other.cli.ended;
    expect(await patient.finding('account-lock')).toMatchObject({ level: 'ok' });
  });

  it('a daemon on another machine that keeps the same file, as long as it renews its lease', async () => {
    const patient = await Patient.admit();
    const owner = { pid: 2, host: 'elsewhere', machine: 'another', flock: true, socket: '/its.sock' };
    await writeFile(`${patient.authFile}.codex-authd.owner`, JSON.stringify({ ...owner, since: 'noon' }));
    const lease = `${patient.authFile}.codex-authd.lock`;
    await mkdir(lease);
    expect(await patient.finding('account-lock')).toMatchObject({
      level: 'warn',
      command: "ssh 'elsewhere' kill 2",
    });
    // As a machine that lost its power leaves it, which has another name for itself since.
    const before = Date.now() / 1000 - 300;
    await utimes(lease, before, before);
    expect(await patient.finding('account-lock')).toMatchObject({
      level: 'ok',
      found: expect.stringContaining('left its lock behind') as unknown,
    });
  });

  it('a lock that a killed daemon left, which is no fault', async () => {
    const patient = await Patient.admit();
    const daemon = await DaemonProcess.start({
      sandbox: patient.sandbox,
      tokenEndpoint: patient.endpoint.url,
    });
    await daemon.stop('SIGKILL');
    expect(await patient.finding('account-lock')).toMatchObject({
      level: 'ok',
      found: `the daemon with pid ${String(daemon.pid)} left its lock behind; the next one takes it over`,
    });
  });

  it("who holds Codex's lock, until he is ended, and without waiting for it", async () => {
    const patient = await Patient.admit();
    const lock = join(patient.sandbox.codexHome, 'auth.lock');
    await writeFile(lock, '');
    const rival = await startRival('flock', 'flock', ['--no-fork', lock, 'sh', '-c', 'echo held; exec cat']);
    const { level, command } = await patient.finding('codex-locks');
    expect(level).toBe('warn');
    await patient.follow(command);
    await rival.ended;
    expect(await patient.finding('codex-locks')).toMatchObject({ level: 'ok' });
  });

  it("nothing of Codex's lock where it is held for a moment, as it is whenever Codex writes", async () => {
    const patient = await Patient.admit();
    const lock = join(patient.sandbox.codexHome, 'auth.lock');
    await writeFile(lock, '');
    const writer = await startRival('flock', 'flock', ['--no-fork', lock, 'sh', '-c', 'echo held; exec cat']);
    const holder = await findLastingHolder(lock, async () => {
      writer.stop();
      await writer.ended;
    });
    expect(judgeHolder(lock, holder)).toMatchObject({ level: 'ok' });
  });

  it('whom it cannot end from here: the pid 0 of another container would be oneself', () => {
    expect(judgeHolder('/home/ada/.codex/auth.lock', 0)).toMatchObject({
      level: 'warn',
      command: 'lslocks --output COMMAND,PID,PATH',
    });
    const owner = {
      pid: 7,
      host: '4f2a9c',
      machine: 'this one',
      flock: true,
      socket: '/run/authd.sock',
      states: [],
      since: '2026-11-01T00:00:00.000Z',
    };
    expect(judgeRival(owner, 0)).toMatchObject({ level: 'fail', command: "docker exec '4f2a9c' kill 7" });
    expect(judgeRival(owner, 1234)).toMatchObject({ level: 'fail', command: 'kill 1234' });
  });

  it('in the table of locks only who holds one, by the inode', () => {
    const table =
      '1: FLOCK  ADVISORY  WRITE 12 08:01:77 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 13 08:01:77 0 EOF\n2: POSIX  ADVISORY  READ 14 08:01:78 0 EOF\n';
    expect(holdersIn(table, 77n)).toEqual([12]);
  });

  it('a login that has expired, and that is served no more, until a daemon renews it', async () => {
    const patient = await Patient.admit();
    patient.endpoint.lifetimeSeconds = -10;
    await writeAuthFile(patient.authFile, chatgptFile(patient.endpoint.login()));
    const { level, command } = await patient.finding('login');
    expect({ level, command }).toEqual({ level: 'fail', command: 'codex-authd up' });
    patient.endpoint.lifetimeSeconds = 3600;
    await writeFile(join(patient.bin, 'no-manager'), '');
    onTestFinished(() => patient.follow('codex-authd down').then(() => undefined));
    await patient.follow(command);
    expect(await patient.finding('login')).toMatchObject({ level: 'ok' });
  });
});
