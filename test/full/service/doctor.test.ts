import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../../src/doctor/finding.js';
import type { ToolEnd } from '../../../src/service/run-tool.js';
import { chatgptFile } from '../../support/login-file.js';
import { StrictTokenEndpoint } from '../../support/strict-token-endpoint.js';
import { installPackage, startUserManager, type UserManager } from './user-manager.js';

let manager: UserManager;
let endpoint: StrictTokenEndpoint;
let bin: string;
let codexHome: string;

beforeAll(async () => {
  manager = await startUserManager();
  endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 10 * 24 * 3600 });
  const app = join(manager.home, 'app');
  await installPackage(manager, app);
  bin = join(manager.home, 'bin');
  await mkdir(bin);
  const program = join(bin, 'codex-authd');
  const line = `exec '${process.execPath}' '${join(app, 'bin', 'codex-authd.js')}' "$@"`;
  await manager.write(program, `#!/bin/sh\n${line}\n`, 0o755);
  manager.own(manager.home);
}, 120_000);

beforeEach(async () => {
  codexHome = join(manager.home, '.codex');
  await mkdir(codexHome, { mode: 0o700 });
  await manager.write(join(codexHome, 'auth.json'), chatgptFile(endpoint.login()));
  manager.own(codexHome);
});

afterEach(async () => {
  await asUser('codex-authd service uninstall');
  execFileSync('rm', ['-r', codexHome]);
  expect(await manager.refusals()).toBe('');
});

afterAll(async () => {
  await endpoint[Symbol.asyncDispose]();
  await manager.stop();
}, 60_000);

function asUser(line: string, variables: readonly string[] = []): Promise<ToolEnd> {
  const path = `PATH=${bin}:${process.env['PATH'] ?? ''}`;
  const url = `CODEX_REFRESH_TOKEN_URL_OVERRIDE=${endpoint.url}`;
  return manager.run('env', path, url, ...variables, '/bin/sh', '-c', line);
}

async function finding(id: string, variables: readonly string[] = []): Promise<Finding> {
  const { stdout } = await asUser('codex-authd doctor --json', variables);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const found = findings.find((each) => each.id === id);
  if (found === undefined) throw new Error(`there is no check ${id}`);
  return found;
}

/** Runs the command of a finding: as the user, or what stands behind `sudo` as root. */
async function follow({ command }: Finding, variables: readonly string[] = []): Promise<void> {
  if (command?.startsWith('sudo ') === true) {
    execFileSync('/bin/sh', ['-c', command.slice('sudo '.length)], { stdio: ['ignore', 'ignore', 'pipe'] });
  } else expect(await asUser(command ?? 'false', variables)).toMatchObject({ code: 0 });
}

describe('what the doctor finds of a service, and its command mends', () => {
  it('that there is none', async () => {
    const missed = await finding('service');
    expect(missed).toMatchObject({ level: 'warn', command: 'codex-authd service install' });
    expect(await finding('socket')).toMatchObject({ level: 'fail', command: 'codex-authd up' });
    await follow(missed);
    for (const id of ['service', 'socket', 'daemon-version'])
      expect(await finding(id)).toMatchObject({ level: 'ok' });
  });

  it('that its Node is gone', async () => {
    await asUser('codex-authd service install');
    const unit = join(manager.home, '.config', 'systemd', 'user', 'codex-authd.service');
    const text = await readFile(unit, 'utf8');
    await writeFile(unit, text.replace(`ExecStart=${process.execPath}`, 'ExecStart=/nowhere/node'));
    await manager.systemctl('daemon-reload');
    await manager.systemctl('restart', 'codex-authd.service');
    const gone = await finding('service');
    expect(gone).toMatchObject({
      level: 'fail',
      found: `${unit} starts /nowhere/node, which is not there any more`,
    });
    await follow(gone);
    for (const id of ['service', 'socket']) expect(await finding(id)).toMatchObject({ level: 'ok' });
  });

  it('that it is disabled', async () => {
    await asUser('codex-authd service install');
    await manager.systemctl('disable', 'codex-authd.socket', 'codex-authd.service');
    const disabled = await finding('service');
    expect(disabled).toMatchObject({
      level: 'warn',
      found: expect.stringContaining('is disabled') as unknown,
    });
    await follow(disabled);
    expect(await finding('service')).toMatchObject({ level: 'ok' });
  });

  it('that it is masked', async () => {
    await manager.systemctl('mask', 'codex-authd.service');
    const masked = await finding('service');
    expect(masked).toMatchObject({ level: 'warn', found: expect.stringContaining('is masked') as unknown });
    await follow(masked);
    for (const id of ['service', 'socket']) expect(await finding(id)).toMatchObject({ level: 'ok' });
  });
});

describe('what the doctor finds as an ordinary user, and its command mends', () => {
  it.each([
    ['auth-file-owner', 'auth.json'],
    ['directory', ''],
  ])('what is somebody else’s: %s', async (id, name) => {
    const path = join(codexHome, name);
    expect(await finding(id)).toMatchObject({ level: 'ok' });
    await chown(path, 0, 0);
    await chmod(path, 0o755);
    const foreign = await finding(id);
    expect(foreign).toMatchObject({
      level: 'fail',
      command: expect.stringMatching(/^sudo chown \d+ /) as unknown,
    });
    await follow(foreign);
    expect(await finding(id)).toMatchObject({ level: 'ok' });
  });

  it('a directory on a file system that is read-only', async () => {
    const disk = join(manager.home, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', disk]);
    onTestFinished(() => {
      execFileSync('umount', ['--lazy', disk]);
    });
    const variables = [`CODEX_HOME=${join(disk, 'codex')}`];
    await mkdir(join(disk, 'codex'), { mode: 0o700 });
    manager.own(disk);
    expect(await finding('directory', variables)).toMatchObject({ level: 'ok' });
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const readOnly = await finding('directory', variables);
    expect(readOnly).toMatchObject({
      level: 'fail',
      found: expect.stringContaining('is read-only') as unknown,
    });
    await follow(readOnly);
    expect(await finding('directory', variables)).toMatchObject({ level: 'ok' });
  });
});
