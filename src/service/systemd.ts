import { rmdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Environment } from '../os/paths.js';
import type { ServiceManager, ServiceStatus } from './service-manager.js';
import { readIfThere, removing, writing, type ServiceFile, type Step } from './steps.js';
import { showUnit, systemctl } from './systemctl.js';
import { renderUnits, SERVICE_UNIT, SOCKET_UNIT, type Sandbox } from './systemd-units.js';
import type { DaemonCommand } from './daemon-command.js';

/** What systemd ends with where a namespace, a capability or another user cannot be had (systemd.exec(5)). */
const REFUSED_SANDBOX = ['217', '218', '226'];

const UNITS = [SOCKET_UNIT, SERVICE_UNIT];

/** In these states a service is there for its clients. */
const UP = ['active', 'reloading'];

/** The service as two units of the user's own systemd. */
export function systemd(env: Environment): ServiceManager {
  const paths = unitPaths(env);
  const control = (...args: string[]): Step => systemctl(env, ...args);

  async function filesOf(command: DaemonCommand, sandbox: Sandbox): Promise<readonly ServiceFile[]> {
    const { service, socket } = await renderUnits(command, env, sandbox);
    return [
      { path: paths.socket, text: socket },
      { path: paths.service, text: service },
    ];
  }

  /** What has been found not to start with all of its hardening is not tried again each time. */
  async function files(command: DaemonCommand): Promise<readonly ServiceFile[]> {
    const bare = await filesOf(command, 'without namespaces');
    const installed = await readIfThere(paths.service);
    return installed === bare[1]?.text ? bare : filesOf(command, 'full');
  }

  async function stateOf(unit: string): Promise<string> {
    return (await showUnit(unit, ['ActiveState'], env))['ActiveState'] ?? '';
  }

  async function isActive(unit: string): Promise<boolean> {
    return [...UP, 'activating'].includes(await stateOf(unit));
  }

  /** What was started in vain too often is not started again for a while, whatever was mended since. */
  async function planForgetting(): Promise<readonly Step[]> {
    const states = await Promise.all(UNITS.map(stateOf));
    const failed = UNITS.filter((_unit, index) => ['failed', 'activating'].includes(states[index] ?? ''));
    return failed.length === 0 ? [] : [control('reset-failed', ...failed)];
  }

  async function planInstall(command: DaemonCommand, restart: boolean): Promise<readonly Step[]> {
    const changed = await changedFiles(await files(command));
    const [state, listens] = await Promise.all([stateOf(SERVICE_UNIT), isActive(SOCKET_UNIT)]);
    const isMoved = listens && changed.some(({ path }) => path === paths.socket);
    const stays = UP.includes(state) && listens && !isMoved;
    return [
      ...(isMoved ? [control('stop', SOCKET_UNIT, SERVICE_UNIT)] : []),
      ...changed.map(writing),
      ...(changed.length > 0 ? [control('daemon-reload')] : []),
      ...((await isEnabled(env)) ? [] : [control('enable', '--quiet', SOCKET_UNIT, SERVICE_UNIT)]),
      ...(stays ? [] : await planForgetting()),
      // One that is between two starts in vain may have read what is mended by now.
      ...(stays ? [] : [control('start', SOCKET_UNIT), control('restart', SERVICE_UNIT)]),
      ...(stays && (restart || changed.length > 0) ? [control('restart', SERVICE_UNIT)] : []),
    ];
  }

  return {
    name: 'systemd',
    files,
    planInstall,
    async planUninstall() {
      const there: string[] = [];
      for (const path of [paths.socket, paths.service]) {
        if ((await readIfThere(path)) !== null) there.push(path);
      }
      if (there.length === 0) return [];
      const { Listen: listen = '' } = await showUnit(SOCKET_UNIT, ['Listen'], env);
      const socket = listen.replace(/ \(Stream\)$/, '');
      return [
        control('disable', '--quiet', '--now', SOCKET_UNIT, SERVICE_UNIT),
        ...(await planForgetting()),
        ...there.map(removing),
        control('daemon-reload'),
        ...(socket === '' ? [] : [removingDirectory(dirname(socket))]),
      ];
    },
    async planStop() {
      const active = await Promise.all(UNITS.map(isActive));
      // The socket first: a client that asks would start the service again.
      return active.includes(true) ? [control('stop', ...UNITS)] : [];
    },
    status: () => readServiceStatus(env),
    async planRescue(command) {
      const { ExecMainStatus: code = '' } = await showUnit(SERVICE_UNIT, ['ExecMainStatus'], env);
      if (!REFUSED_SANDBOX.includes(code)) return null;
      const bare = await changedFiles(await filesOf(command, 'without namespaces'));
      if (bare.length === 0) return null;
      return {
        because: `systemd gives the unit no namespaces of its own here (exit status ${code}): it is installed without them`,
        steps: [
          control('stop', SOCKET_UNIT, SERVICE_UNIT),
          ...bare.map(writing),
          control('daemon-reload'),
          control('reset-failed', SOCKET_UNIT, SERVICE_UNIT),
          control('start', SOCKET_UNIT),
          control('start', SERVICE_UNIT),
        ],
      };
    },
  };
}

function unitPaths(env: Environment): { readonly service: string; readonly socket: string } {
  const present = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
  const config = present(env['XDG_CONFIG_HOME']) ?? join(present(env['HOME']) ?? homedir(), '.config');
  const directory = join(config, 'systemd', 'user');
  return { service: join(directory, SERVICE_UNIT), socket: join(directory, SOCKET_UNIT) };
}

async function changedFiles(files: readonly ServiceFile[]): Promise<ServiceFile[]> {
  const changed: ServiceFile[] = [];
  for (const file of files) if ((await readIfThere(file.path)) !== file.text) changed.push(file);
  return changed;
}

async function isEnabled(env: Environment): Promise<boolean> {
  const states = await Promise.all(
    [SOCKET_UNIT, SERVICE_UNIT].map((unit) => showUnit(unit, ['UnitFileState'], env)),
  );
  return states.every(({ UnitFileState: state }) => state === 'enabled');
}

async function readServiceStatus(env: Environment): Promise<ServiceStatus> {
  const paths = unitPaths(env);
  const files: string[] = [];
  for (const path of [paths.socket, paths.service]) if ((await readIfThere(path)) !== null) files.push(path);
  const shown = await showUnit(SERVICE_UNIT, ['ActiveState', 'MainPID', 'StatusText'], env);
  const { ActiveState: listening = '' } = await showUnit(SOCKET_UNIT, ['ActiveState'], env);
  const { ActiveState: active = 'unknown', MainPID: pid = '0', StatusText: detail = '' } = shown;
  return {
    manager: 'systemd',
    installed: files.length === 2,
    enabled: await isEnabled(env),
    active,
    running: UP.includes(active),
    listens: listening === 'active',
    pid: pid === '0' ? null : Number(pid),
    detail: detail === '' ? null : detail,
    files,
  };
}

/** Somebody else's files in it keep it. */
function removingDirectory(path: string): Step {
  return {
    does: `remove ${path} if it is empty`,
    run: async () => {
      await rmdir(path).catch(() => undefined);
    },
  };
}
