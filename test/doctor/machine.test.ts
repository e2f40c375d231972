import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findLastingHolder, judgeHolder, judgeRival } from '../../src/doctor/checks/locks.js';
import { judgeCodex } from '../../src/doctor/checks/codex.js';
import { installKoffi } from '../../src/doctor/checks/koffi.js';
import { checkNode } from '../../src/doctor/checks/node.js';
import { wordsOfAgent, wordsOfUnit } from '../../src/doctor/installed-service.js';
import type { Scene } from '../../src/doctor/scene.js';
import { holdersIn } from '../../src/os/lock-holders.js';
import { runCli } from '../cli/run-cli.js';
import { startScriptedDaemon, json, statusBody } from '../cli/scripted-daemon.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { Patient } from './patient.js';

/** Starts a process and waits until it has said something. */
async function startRival(argv0: string, file: string, args: readonly string[]): Promise<Rival> {
  const child = spawn(file, args, { argv0, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await once(child.stdout, 'data');
  return { ended, stop: () => child.kill('SIGKILL') };
}

interface Rival {
  readonly stop: () => void;
  readonly ended: Promise<unknown>;
}

async function installUnit(patient: Patient, execStart: string): Promise<string> {
  const file = join(dirname(dirname(patient.sandbox.configFile)), 'systemd', 'user', 'codex-authd.service');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `[Service]\nExecStart=${execStart}\n`);
  return file;
}

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

describe('what is found on the machine', () => {
  it('variables that win over auth.json, until they are unset', async () => {
    const patient = await Patient.admit();
    const env = { CODEX_API_KEY: 'sk-not-for-anyone', CODEX_ACCESS_TOKEN: 'nor-this' };
    const { level, found, command } = await patient.finding('environment', env);
    expect({ level, command }).toEqual({ level: 'warn', command: 'unset CODEX_API_KEY CODEX_ACCESS_TOKEN' });
    expect(found).not.toMatch(/not-for-anyone|nor-this/);
    const left = await patient.follow(command, env);
    expect(left).not.toHaveProperty('CODEX_API_KEY');
    expect(left).not.toHaveProperty('CODEX_ACCESS_TOKEN');
  });

  it.each([
    ['v18.20.0', '2026-01-01', 'fail'],
    ['v20.18.3', '2026-01-01', 'fail'],
    ['v20.19.0', '2026-04-30', 'ok'],
    ['v20.20.2', '2026-05-01', 'warn'],
    ['v24.1.0', '2026-11-01', 'ok'],
    ['v26.0.0', '2026-11-01', 'ok'],
  ])('node %s on %s: %s', async (nodeVersion, day, level) => {
    const scene: Scene = {
      nodeVersion,
      nowMs: Date.parse(day),
      env: {},
      platform: 'linux',
      uid: 0,
      socketPath: '/run/authd.sock',
    };
    expect(await checkNode.run(scene)).toMatchObject({
      level,
      command: level === 'ok' ? null : 'npm install --global node@24',
    });
  });

  it('that koffi is missing, and where to install it so that it is found', async () => {
    const patient = await Patient.admit();
    const preload = ['--import', new URL('../support/without-koffi.mjs', import.meta.url).href];
    const { findings } = await patient.examine({}, preload);
    expect(findings.find(({ id }) => id === 'koffi')).toMatchObject({
      level: 'warn',
      command: expect.stringMatching(/^npm install --prefix '.*' --no-save koffi$/),
    });
    expect(installKoffi('/usr/local/lib/node_modules/codex-authd')).toBe(
      "npm install --global --prefix '/usr/local' koffi",
    );
    expect(installKoffi('/srv/app/node_modules/codex-authd')).toBe("npm install --prefix '/srv/app' koffi");
  });

  it.each([
    ['0.163.0', 'warn'],
    ['0.166.0', 'warn'],
    ['0.169.0', 'ok'],
    ['1.0.0', 'ok'],
  ])('what codex %s does with the file: %s', (version, level) => {
    expect(judgeCodex(version).level).toBe(level);
  });

  it('an old codex, until it is updated', async () => {
    const patient = await Patient.admit();
    await writeFile(join(patient.bin, 'codex-version'), 'codex-cli 0.163.0\n');
    const { level, found, command } = await patient.finding('codex');
    expect({ level, found }).toEqual({
      level: 'warn',
      found: 'codex 0.163.0 takes no lock, and truncates auth.json while it writes',
    });
    await patient.follow(command);
    expect(await patient.calls('npm')).toEqual(['install --global @openai/codex@latest']);
    expect(await patient.finding('codex')).toMatchObject({ level: 'ok' });
  });

  it('another program that refreshes the login, until it is ended', async () => {
    const patient = await Patient.admit();
    const rival = await startRival('codex-auth-refresher', process.execPath, [
      '-e',
      'console.log("up"); setInterval(() => 0, 1e6)',
    ]);
    const { level, command } = await patient.finding('refreshers');
    expect(level).toBe('warn');
    await patient.follow(command);
    await rival.ended;
    expect(await patient.finding('refreshers')).toMatchObject({ level: 'ok' });
  });

  it('that no service is installed, or one that starts what is not there any more', async () => {
    const patient = await Patient.admit();
    expect(await patient.finding('service')).toMatchObject({
      level: 'warn',
      command: 'codex-authd service install',
    });
    const gone = join(patient.bin, 'node');
    await installUnit(patient, `"${gone}" /opt/codex-authd/bin/codex-authd.js run`);
    expect(await patient.finding('service')).toMatchObject({
      level: 'fail',
      found: expect.stringContaining(`${gone}, which is not there any more`),
      command: 'codex-authd service install',
    });
    await writeFile(gone, '');
    expect(await patient.finding('service')).toMatchObject({
      level: 'fail',
      found: expect.stringContaining('codex-authd.js'),
    });
    await installUnit(patient, `"${gone}" run`);
    expect(await patient.finding('service')).toMatchObject({ level: 'ok' });
  });

  it('a service that is not enabled, until it is', async () => {
    const patient = await Patient.admit();
    await installUnit(patient, '/usr/bin/env codex-authd run');
    await writeFile(join(patient.bin, 'enablement'), 'disabled\n');
    const { level, command } = await patient.finding('service');
    expect(level).toBe('warn');
    await patient.follow(command);
    expect(await patient.finding('service')).toMatchObject({ level: 'ok' });
  });

  it('a headless machine on which the service ends with the last logout, until it lingers', async () => {
    const patient = await Patient.admit();
    await installUnit(patient, '/usr/bin/env codex-authd run');
    await writeFile(join(patient.bin, 'linger'), 'no\n');
    const { level, command } = await patient.finding('lingering', { USER: 'ada' });
    expect({ level, command }).toEqual({ level: 'warn', command: "loginctl enable-linger 'ada'" });
    expect(await patient.finding('lingering', { DISPLAY: ':0' })).toMatchObject({ level: 'ok' });
    await patient.follow(command);
    expect(await patient.finding('lingering')).toMatchObject({ level: 'ok' });
  });

  it('what a service starts, on both systems', () => {
    expect(
      wordsOfUnit('ExecStart=/old\n[x]\nExecStart=-"/opt/my node/bin/node" \'/a b.js\' run 100%%\n'),
    ).toEqual(['/opt/my node/bin/node', '/a b.js', 'run', '100%']);
    expect(wordsOfUnit('ExecStart=/opt/$a/node /opt/$$b/authd.js run\n')).toEqual([
      '/opt/$a/node',
      '/opt/$b/authd.js',
      'run',
    ]);
    expect(wordsOfUnit('[Service]\n')).toEqual([]);
    const plist =
      '<key>ProgramArguments</key>\n<array>\n<string>/a &amp; b/node</string><string>run</string></array>';
    expect(wordsOfAgent(plist)).toEqual(['/a & b/node', 'run']);
  });
});

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

  it('a login that has expired, and that is served no more', async () => {
    const patient = await Patient.admit();
    patient.endpoint.lifetimeSeconds = -10;
    await writeAuthFile(patient.authFile, chatgptFile(patient.endpoint.login()));
    expect(await patient.finding('login')).toMatchObject({ level: 'fail', command: 'codex-authd up' });
  });
});

describe('what is found of the configuration', () => {
  it('that it cannot be used, until it is edited; the machine is looked at all the same', async () => {
    const patient = await Patient.admit();
    await writeFile(patient.sandbox.configFile, 'log_level = "loud"\n');
    const editor = join(patient.bin, 'editor');
    await writeFile(editor, '#!/bin/sh\nrm "$1"\n', { mode: 0o755 });
    const { level, found, command } = await patient.finding('configuration');
    expect(level).toBe('fail');
    expect(found).toContain('log_level');
    expect(await patient.finding('node')).toMatchObject({ id: 'node' });
    await patient.follow(command, { EDITOR: editor });
    await expect(readFile(patient.sandbox.configFile)).rejects.toThrow('ENOENT');
    expect(await patient.finding('configuration')).toMatchObject({ level: 'ok' });
    await unlink(editor);
  });
});
