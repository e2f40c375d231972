import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type ToolEnd } from '../../../src/service/run-tool.js';
import { copyPackage } from '../../support/installed-package.js';
import { until } from '../../support/linux-proc.js';
import { makeTempDir } from '../../support/temp-dir.js';

const USER = 'authd-test';
const SYSTEMD = '/usr/lib/systemd/systemd';
/** What PID 1 makes where it is systemd: by the first one it is found, in the second one a unit's namespace is put together. */
const MADE_BY_PID_1 = ['/run/systemd/system', '/run/systemd/unit-root'];

/** An ordinary user of this machine, with a home and a `systemd --user` of his own (facts 5.13). */
export interface UserManager {
  readonly home: string;
  readonly runtime: string;
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs a program as the user. */
  run(...command: readonly string[]): Promise<ToolEnd>;
  /** Starts one, with its output in pipes. */
  start(...command: readonly string[]): ChildProcess;
  systemctl(...args: readonly string[]): Promise<ToolEnd>;
  /** One property of a unit. */
  property(unit: string, name: string): Promise<string>;
  /** Writes a file of the user's. */
  write(path: string, text: string, mode?: number): Promise<void>;
  /** Gives the user what lies there, with all that is in it. */
  own(path: string): void;
  /** What the tests' guard has refused to anything that ran here (loopback-only.mjs). */
  refusals(): Promise<string>;
  stop(): Promise<void>;
}

/** @throws where the machine cannot have one, with what is missing */
export async function startUserManager(): Promise<UserManager> {
  if (process.getuid?.() !== 0) throw new Error('these tests make a user: they must be run by root');
  if (!existsSync(SYSTEMD)) throw new Error('systemd and dbus-user-session must be installed');
  execFileSync('useradd', ['--no-create-home', '--shell', '/bin/sh', USER]);
  const directory = await makeTempDir('authd-user-');
  const home = join(directory.path, 'home');
  const runtime = join(directory.path, 'run');
  const report = join(directory.path, 'refused');
  const guard = join(directory.path, 'loopback-only.mjs');
  await chmod(directory.path, 0o755);
  await mkdir(home, { mode: 0o700 });
  await mkdir(runtime, { mode: 0o700 });
  await writeFile(report, '');
  await writeFile(guard, await readFile(new URL('../../support/loopback-only.mjs', import.meta.url)));
  for (const path of [home, runtime, report]) execFileSync('chown', [`${USER}:`, path]);
  const made = MADE_BY_PID_1.filter((path) => !existsSync(path));
  for (const path of made) await mkdir(path, { recursive: true });
  const cgroups = await makeCgroups();

  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    USER,
    XDG_RUNTIME_DIR: runtime,
    TZ: 'UTC',
    NODE_OPTIONS: `--import=${guard}`,
    LOOPBACK_ONLY_REPORT: report,
  };
  const asUser = ['--reuid', USER, '--regid', USER, '--init-groups'];
  const enter = cgroups.map((path) => `echo $$ > ${path}/cgroup.procs`).join(' && ');
  const manager = spawn('sh', ['-c', `${enter} && exec setpriv "$@"`, 'sh', ...asUser, SYSTEMD, '--user'], {
    env,
    stdio: 'ignore',
  });
  const ended = once(manager, 'exit');
  const run = (...command: readonly string[]): Promise<ToolEnd> =>
    runTool('setpriv', [...asUser, ...command], env);
  const systemctl = (...args: readonly string[]): Promise<ToolEnd> => run('systemctl', '--user', ...args);
  await until(async () => /^(running|degraded)/.test((await systemctl('is-system-running')).stdout));

  return {
    home,
    runtime,
    socket: join(runtime, 'codex-authd', 'authd.sock'),
    env,
    run,
    start: (...command) =>
      spawn('setpriv', [...asUser, ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    systemctl,
    property: async (unit, name) =>
      (await systemctl('show', unit, '--value', `--property=${name}`)).stdout.trim(),
    async write(path, text, mode = 0o600) {
      await writeFile(path, text, { mode });
      execFileSync('chown', [`${USER}:`, path]);
    },
    own(path) {
      execFileSync('chown', ['-R', `${USER}:`, path]);
    },
    refusals: () => readFile(report, 'utf8'),
    async stop() {
      manager.kill('SIGTERM');
      await ended;
      for (const path of cgroups) await removeCgroup(path);
      for (const path of made.reverse()) await rmdir(path);
      await directory.remove();
      execFileSync('userdel', [USER]);
    },
  };
}

/** A cgroup of the user's own, below ours, in each hierarchy in which systemd looks for one. */
async function makeCgroups(): Promise<string[]> {
  const made: string[] = [];
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').trimEnd().split('\n')) {
    const [id = '', controllers = '', ...rest] = line.split(':');
    if (id !== '0' && controllers !== 'name=systemd') continue;
    const kind = id === '0' ? ' - cgroup2 ' : 'name=systemd';
    const mount = mounts.find((each) => each.includes(kind))?.split(' ')[4];
    if (mount === undefined) continue;
    const path = join(mount, rest.join(':'), USER);
    await mkdir(path);
    execFileSync('chown', ['-R', `${USER}:`, path]);
    made.push(path);
  }
  return made;
}

/** What still runs in it is a process that a test started, and left. */
async function removeCgroup(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  }
  await until(async () => {
    const pids = (await readFile(join(path, 'cgroup.procs'), 'utf8')).split('\n').filter((pid) => pid !== '');
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    return pids.length === 0;
  });
  await rmdir(path);
}

/** The package in `directory`, the user's own; under another version, if one is named. */
export async function installPackage(
  manager: UserManager,
  directory: string,
  version?: string,
): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await copyPackage(directory);
  if (version !== undefined) {
    const path = join(directory, 'package.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...manifest, version }));
  }
  manager.own(directory);
}
