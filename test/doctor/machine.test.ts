import { readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeCodex } from '../../src/doctor/checks/codex.js';
import { installKoffi } from '../../src/doctor/checks/koffi.js';
import { checkNode } from '../../src/doctor/checks/node.js';
import { wordsOfAgent, wordsOfUnit } from '../../src/doctor/installed-service.js';
import type { Scene } from '../../src/doctor/scene.js';
import { installUnit, startRival } from './scenery.js';
import { Patient } from './patient.js';

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
    await writeFile(gone, '', { mode: 0o755 });
    expect(await patient.finding('service')).toMatchObject({
      level: 'fail',
      found: expect.stringContaining('codex-authd.js'),
    });
    await installUnit(patient, `"${gone}" run`);
    expect(await patient.finding('service')).toMatchObject({ level: 'ok' });
  });

  it.each([
    ['one that starts nothing', 'enabled', 'fail', 'codex-authd service install'],
    [
      'one that is masked',
      'masked',
      'warn',
      'systemctl --user unmask codex-authd.socket codex-authd.service && codex-authd service install',
    ],
  ])('a service file that leads to nothing: %s', async (_what, enablement, level, command) => {
    const patient = await Patient.admit();
    await writeFile(await installUnit(patient, ''), '');
    await writeFile(join(patient.bin, 'enablement'), `${enablement}\n`);
    expect(await patient.finding('service')).toMatchObject({ level, command });
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
