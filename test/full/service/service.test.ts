import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readStatus } from '../../../src/client/status.js';
import type { ToolEnd } from '../../../src/service/run-tool.js';
import { until } from '../../support/linux-proc.js';
import { chatgptFile, type LoginTokens } from '../../support/login-file.js';
import { StrictTokenEndpoint } from '../../support/strict-token-endpoint.js';
import { fingerprintOf } from '../../support/tokens.js';
import { installPackage, startUserManager, type UserManager } from './user-manager.js';

let manager: UserManager;
let endpoint: StrictTokenEndpoint;
let app: string;

beforeAll(async () => {
  manager = await startUserManager();
  endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 10 * 24 * 3600 });
  app = join(manager.home, 'app');
  await installPackage(manager, app);
  await mkdir(join(manager.home, '.codex'), { mode: 0o700 });
  await manager.write(join(manager.home, '.codex', 'auth.json'), chatgptFile(endpoint.login()));
  manager.own(manager.home);
}, 120_000);

afterEach(async () => {
  await cli('service', 'uninstall');
  expect(await manager.refusals()).toBe('');
});

afterAll(async () => {
  await endpoint[Symbol.asyncDispose]();
  await manager.stop();
}, 60_000);

function cliOf(directory: string, ...args: string[]): Promise<ToolEnd> {
  const variable = `CODEX_REFRESH_TOKEN_URL_OVERRIDE=${endpoint.url}`;
  return manager.run('env', variable, process.execPath, join(directory, 'bin', 'codex-authd.js'), ...args);
}

function cli(...args: string[]): Promise<ToolEnd> {
  return cliOf(app, ...args);
}

async function install(directory = app): Promise<void> {
  expect(await cliOf(directory, 'service', 'install')).toMatchObject({ code: 0, stderr: '' });
}

async function mainPid(): Promise<number> {
  return Number(await manager.property('codex-authd.service', 'MainPID'));
}

/** Resolves to the pid of the daemon that answers, when it is another one than before. */
async function successorOf(pid: number): Promise<number> {
  for (;;) {
    const status = await readStatus(manager.socket);
    if (status.pid !== pid) return status.pid;
  }
}

interface Polled {
  readonly answers: number;
  readonly expired: number;
  readonly failures: readonly string[];
  readonly refusals: readonly string[];
  readonly generations: readonly number[];
}

/** Fifty clients ask while `meanwhile` happens. */
async function underPolling(meanwhile: () => Promise<void>): Promise<Polled> {
  const script = join(manager.home, 'poll.mjs');
  await manager.write(script, await readFile(new URL('poll.mjs', import.meta.url), 'utf8'));
  const polling = manager.start(
    ...[process.execPath, script, join(app, 'dist', 'index.js'), manager.socket, '50'],
  );
  const { stdout, stderr } = polling;
  if (stdout === null || stderr === null) throw new Error('no pipes');
  const complaints = text(stderr);
  let said = '';
  stdout.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  const ended = once(polling, 'close');
  try {
    await until(() => Promise.resolve(said.includes('polling\n') || polling.exitCode !== null));
    await meanwhile();
  } finally {
    polling.kill('SIGTERM');
    await ended;
  }
  expect(await complaints).toBe('');
  return JSON.parse(said.trimEnd().split('\n').at(-1) ?? '') as Polled;
}

/** A drop-in for the service, there until the test is over. */
async function dropIn(lines: readonly string[]): Promise<void> {
  const directory = join(manager.home, '.config', 'systemd', 'user', 'codex-authd.service.d');
  await mkdir(directory, { recursive: true });
  await manager.write(join(directory, 'test.conf'), ['[Service]', ...lines, ''].join('\n'));
  manager.own(join(manager.home, '.config'));
  onTestFinished(async () => {
    await manager.run('rm', '-r', directory);
    await manager.systemctl('daemon-reload');
  });
  await manager.systemctl('daemon-reload');
}

describe('the service, under a real user manager', () => {
  it('is installed, ready and told of with one command, and a second one has nothing to do', async () => {
    const dry = await cli('service', 'install', '--dry-run');
    expect(dry.stdout).toMatch(/^would write .*codex-authd\.socket\nwould write .*codex-authd\.service\n/);
    expect(await manager.property('codex-authd.service', 'LoadState')).toBe('not-found');
    await install();
    expect(await manager.property('codex-authd.service', 'ActiveState')).toBe('active');
    expect(await manager.property('codex-authd.service', 'StatusText')).toBe(
      'fresh: the access token is valid',
    );
    expect((await stat(manager.socket)).mode & 0o777).toBe(0o600);
    expect((await stat(join(manager.socket, '..'))).mode & 0o777).toBe(0o700);
    const pid = await mainPid();
    expect(await cli('service', 'install')).toMatchObject({
      code: 0,
      stdout: `nothing to do: it is installed\npid ${String(pid)} answers on ${manager.socket}\n`,
    });
    const status = await cli('service', 'status', '--json');
    expect(status).toMatchObject({ code: 0 });
    expect(JSON.parse(status.stdout)).toMatchObject({ installed: true, enabled: true, running: true, pid });
    expect((await cli('token')).code).toBe(0);
  });

  it('is hardened for real: 2.5 or better, in a user namespace, without capabilities, behind a filter', async () => {
    await install();
    const { stdout } = await manager.run('systemd-analyze', '--user', 'security', 'codex-authd.service');
    const score = /exposure level for codex-authd\.service: ([\d.]+)/.exec(stdout)?.[1];
    process.stdout.write(`exposure of the unit that started: ${String(score)}\n`);
    expect(Number(score)).toBeLessThanOrEqual(2.5);
    const pid = String(await mainPid());
    expect(await readlink(`/proc/${pid}/ns/user`)).not.toBe(await readlink('/proc/self/ns/user'));
    expect(await readlink(`/proc/${pid}/ns/mnt`)).not.toBe(await readlink('/proc/self/ns/mnt'));
    const facts = await readFile(`/proc/${pid}/status`, 'utf8');
    expect(facts).toMatch(/^CapBnd:\t0+$/m);
    expect(facts).toMatch(/^NoNewPrivs:\t1$/m);
    expect(facts).toMatch(/^Seccomp:\t2$/m);
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    // As many as the machine allows, and not the 1024 that a user's units begin with.
    expect(Number(/^Max open files +(\d+)/m.exec(limits)?.[1])).toBeGreaterThanOrEqual(4096);
    expect((await cli('refresh')).code).toBe(0);
  });

  it('is back within 2 seconds of a SIGKILL, and its socket is never missing', async () => {
    await install();
    const pid = await mainPid();
    const before = await stat(manager.socket);
    const atMs = performance.now();
    await manager.systemctl('kill', '-s', 'KILL', 'codex-authd.service');
    await successorOf(pid);
    expect(performance.now() - atMs).toBeLessThan(2000);
    expect((await stat(manager.socket)).ino).toBe(before.ino);
  });

  it('survives 20 kills 1.5 s apart under 50 polling clients: none is refused, none gets an expired token', async () => {
    await install();
    let pid = await mainPid();
    const polled = await underPolling(async () => {
      for (let kill = 1; kill <= 20; kill += 1) {
        const next = sleep(1500);
        await manager.systemctl('kill', '-s', 'KILL', 'codex-authd.service');
        pid = await successorOf(pid);
        // A rotation now and then, between two kills: what is served has to be the newest one.
        if (kill % 5 === 0) expect((await cli('refresh')).code).toBe(0);
        await next;
      }
    });
    const { answers, generations } = polled;
    process.stdout.write(`20 kills: ${String(answers)} answers, generations ${generations.join(', ')}\n`);
    expect(polled).toMatchObject({ expired: 0, failures: [], refusals: [] });
    expect(answers).toBeGreaterThan(1000);
    expect(generations.length).toBeGreaterThanOrEqual(5);
    expect(await manager.property('codex-authd.service', 'ActiveState')).toBe('active');
    expect(endpoint.requests.every(({ outcome }) => outcome === 'rotated')).toBe(true);
  });

  it('is killed by the watchdog when its event loop stands still, and comes back', async () => {
    const script = join(manager.home, 'stop-the-loop.mjs');
    await manager.write(script, await readFile(new URL('stop-the-loop.mjs', import.meta.url), 'utf8'));
    const result = join(manager.home, 'result');
    const options = `${manager.env['NODE_OPTIONS'] ?? ''} --import=${script}`;
    await dropIn([
      'WatchdogSec=2',
      `Environment="NODE_OPTIONS=${options}"`,
      `ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT > ${result}'`,
    ]);
    await install();
    const pid = await mainPid();
    // Fed, it outlives its patience.
    await sleep(5000);
    expect(await mainPid()).toBe(pid);
    process.kill(pid, 'SIGUSR2');
    await until(async () => (await readFile(result, 'utf8').catch(() => '')).endsWith('\n'));
    expect(await readFile(result, 'utf8')).toBe('watchdog\n');
    await until(async () =>
      (await manager.property('codex-authd.service', 'StatusText')).startsWith('fresh'),
    );
    expect(await successorOf(pid)).not.toBe(pid);
  });

  it('is not killed by it while a refresh token is on its way, and stores the answer when it goes on', async () => {
    const result = join(manager.home, 'stopped-result');
    await dropIn(['WatchdogSec=2', `ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT > ${result}'`]);
    await install();
    const pid = await mainPid();
    const gate = endpoint.holdNext();
    const refreshed = cli('refresh');
    const { fingerprint } = await gate.arrived;
    process.kill(pid, 'SIGSTOP');
    gate.open();
    // More than twice its patience.
    await sleep(5000);
    process.kill(pid, 'SIGCONT');
    expect((await refreshed).code).toBe(0);
    expect(await mainPid()).toBe(pid);
    expect(existsSync(result)).toBe(false);
    const file = JSON.parse(await readFile(join(manager.home, '.codex', 'auth.json'), 'utf8')) as {
      tokens: LoginTokens;
    };
    expect(endpoint.isAlive(file.tokens.refresh_token)).toBe(true);
    expect(fingerprintOf(file.tokens.refresh_token)).not.toBe(fingerprint);
    // With nothing on its way, a stop as long is the end again.
    process.kill(pid, 'SIGSTOP');
    await until(async () => (await readFile(result, 'utf8').catch(() => '')).endsWith('\n'));
    expect(await readFile(result, 'utf8')).toBe('watchdog\n');
    expect(await successorOf(pid)).not.toBe(pid);
  });

  it('tells the manager with systemd-notify where koffi is missing', async () => {
    await manager.run('rm', '-r', join(app, 'node_modules', 'koffi'));
    try {
      await install();
      expect(await manager.property('codex-authd.service', 'StatusText')).toBe(
        'fresh: the access token is valid',
      );
    } finally {
      await cli('service', 'uninstall');
      await installPackage(manager, app);
    }
  });

  it('is all that `up` needs: then `token` has one, and `down` stops it', async () => {
    const up = await cli('up');
    expect(up).toMatchObject({ code: 0, stderr: '' });
    expect(up.stdout).toContain('try it: codex-authd token');
    expect((await cli('token')).code).toBe(0);
    expect(await cli('up')).toMatchObject({
      stdout: expect.stringContaining('the service is installed and runs'),
    });
    expect((await cli('down')).code).toBe(0);
    expect(await manager.property('codex-authd.service', 'ActiveState')).toBe('inactive');
    expect((await cli('token')).code).toBe(3);
    expect((await cli('up')).code).toBe(0);
    expect((await cli('token')).code).toBe(0);
  });

  it('reads its configuration again on reload, and tells the manager', async () => {
    await install();
    const pid = await mainPid();
    const second = join(manager.home, 'second');
    await mkdir(second, { mode: 0o700 });
    await manager.write(join(second, 'auth.json'), chatgptFile(endpoint.login()));
    const config = join(manager.home, '.config', 'codex-authd');
    await mkdir(config, { recursive: true });
    const tables = [
      `[[account]]`,
      `name = "default"`,
      `[[account]]`,
      `name = "work"`,
      `codex_home = "${second}"`,
    ];
    await manager.write(join(config, 'config.toml'), tables.join('\n'));
    manager.own(manager.home);
    expect(await manager.systemctl('reload', 'codex-authd.service')).toMatchObject({ code: 0 });
    await until(async () =>
      (await manager.property('codex-authd.service', 'StatusText')).includes('work fresh: '),
    );
    expect(await manager.property('codex-authd.service', 'ActiveState')).toBe('active');
    expect(await mainPid()).toBe(pid);
    await manager.run('rm', '-r', config, second);
  });

  it('is upgraded under 50 polling clients without one request that fails', async () => {
    await install();
    const pid = await mainPid();
    const newer = join(manager.home, 'newer');
    await installPackage(manager, newer, '99.0.0');
    const polled = await underPolling(async () => {
      await install(newer);
      await sleep(500);
      // Back again, which is an upgrade as good as any.
      await install();
    });
    process.stdout.write(`2 upgrades: ${String(polled.answers)} answers\n`);
    expect(polled).toMatchObject({ expired: 0, failures: [], refusals: [] });
    expect(await mainPid()).not.toBe(pid);
    expect((await readStatus(manager.socket)).version).not.toBe('99.0.0');
  });

  it('is installed without namespaces where there are none, and says so', async () => {
    await rename('/run/systemd/unit-root', '/run/systemd/unit-root.away');
    try {
      const { code, stderr } = await cli('service', 'install');
      expect(code).toBe(0);
      expect(stderr).toContain(
        'hint: systemd gives the unit no namespaces of its own here (exit status 226)',
      );
      expect(await manager.property('codex-authd.service', 'ActiveState')).toBe('active');
      expect(await cli('service', 'install')).toMatchObject({
        stdout: expect.stringMatching(/^nothing to do/),
      });
    } finally {
      await rename('/run/systemd/unit-root.away', '/run/systemd/unit-root');
    }
  });

  it('does not take the socket away from a daemon that somebody runs by hand', async () => {
    const daemon = manager.start(process.execPath, join(app, 'bin', 'codex-authd.js'), 'run');
    await until(async () => (await cli('status')).code === 0);
    expect(await cli('service', 'install')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a daemon that is no service answers'),
    });
    daemon.kill('SIGTERM');
    await once(daemon, 'close');
  });

  it('does not take it away from one that runs by hand while the service is stopped, either', async () => {
    await install();
    expect((await cli('down')).code).toBe(0);
    const daemon = manager.start(process.execPath, join(app, 'bin', 'codex-authd.js'), 'run');
    try {
      await until(async () => (await cli('status')).code === 0);
      const before = await stat(manager.socket);
      for (const again of [['service', 'install'], ['up']]) {
        expect(await cli(...again)).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('a daemon that is no service answers'),
        });
      }
      expect((await stat(manager.socket)).ino).toBe(before.ino);
    } finally {
      daemon.kill('SIGTERM');
      await once(daemon, 'close');
    }
  });

  it('that was given up is started again as soon as what was wrong is mended', async () => {
    await install();
    const config = join(manager.home, '.config', 'codex-authd');
    await mkdir(config, { recursive: true });
    await manager.write(join(config, 'config.toml'), 'this is no TOML');
    manager.own(manager.home);
    await dropIn(['[Unit]', 'StartLimitBurst=3']);
    await manager.systemctl('restart', 'codex-authd.service');
    await until(async () => (await manager.property('codex-authd.service', 'SubState')) === 'failed');
    await manager.run('rm', '-r', config);
    expect(await cli('up')).toMatchObject({ code: 0, stderr: '' });
    expect((await cli('token')).code).toBe(0);
  });

  it('is uninstalled also after it was given up, and after somebody removed one of its units', async () => {
    await install();
    await dropIn(['ExecStartPre=/bin/false', '[Unit]', 'StartLimitBurst=3']);
    await manager.systemctl('restart', 'codex-authd.service');
    await until(async () => (await manager.property('codex-authd.service', 'ActiveState')) === 'failed');
    await manager.run('rm', join(manager.home, '.config', 'systemd', 'user', 'codex-authd.socket'));
    expect(await cli('service', 'uninstall')).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await manager.systemctl('list-units', '--all', '--plain', '--no-legend');
    expect(stdout).not.toContain('codex-authd');
    const left = await readdir(join(manager.home, '.config', 'systemd'), { recursive: true });
    expect(left.filter((name) => /codex-authd\.(service|socket)$/.test(name))).toEqual([]);
  });

  it('is uninstalled without a trace', async () => {
    await install();
    expect(await cli('service', 'uninstall')).toMatchObject({ code: 0 });
    expect(await manager.property('codex-authd.service', 'LoadState')).toBe('not-found');
    expect(await manager.property('codex-authd.socket', 'LoadState')).toBe('not-found');
    expect(existsSync(join(manager.socket, '..'))).toBe(false);
    const left = await readdir(join(manager.home, '.config', 'systemd'), { recursive: true });
    expect(left.filter((name) => name.includes('codex-authd'))).toEqual([]);
    expect(await cli('service', 'uninstall')).toMatchObject({
      code: 0,
      stdout: 'nothing to do: it is not installed\n',
    });
    expect((await cli('token')).code).toBe(3);
  });
});
