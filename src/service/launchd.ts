import { chmod, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadLaunchSockets } from '../os/launch-sockets.js';
import type { Environment } from '../os/paths.js';
import type { DaemonCommand } from './daemon-command.js';
import { bootout, bootstrap, isLoaded, launchctl } from './launchctl.js';
import { LABEL, renderPlist } from './launchd-plist.js';
import { runTool } from './run-tool.js';
import type { ServiceManager, ServiceStatus } from './service-manager.js';
import { readIfThere, removing, writing, type ServiceFile, type Step } from './steps.js';

/** The service as a launch agent of the user. */
export function launchd(env: Environment): ServiceManager {
  const home = env['HOME'] ?? homedir();
  const path = join(home, 'Library', 'LaunchAgents', `${LABEL}.plist`);
  const domain = `gui/${String(process.getuid?.() ?? '')}`;
  const target = `${domain}/${LABEL}`;

  async function files(command: DaemonCommand): Promise<readonly ServiceFile[]> {
    const logFile = join(home, 'Library', 'Logs', `${LABEL}.log`);
    const holdsSocket = (await loadLaunchSockets()) !== null;
    return [{ path, text: await renderPlist({ command, logFile, holdsSocket }) }];
  }

  async function planStop(): Promise<readonly Step[]> {
    return (await isLoaded(env, target)) ? [bootout(env, target)] : [];
  }

  return {
    name: 'launchd',
    files,
    async planInstall(command, restart) {
      const [file] = await files(command);
      if (file === undefined) return [];
      const loaded = await isLoaded(env, target);
      if ((await readIfThere(file.path)) === file.text) {
        if (!loaded) return [bootstrap(env, domain, path)];
        return restart ? [launchctl(env, 'kickstart', '-k', target)] : [];
      }
      return [
        ...(loaded ? [bootout(env, target)] : []),
        makingDirectory(dirname(command.socket)),
        writing(file),
        bootstrap(env, domain, path),
      ];
    },
    async planUninstall() {
      const isThere = (await readIfThere(path)) !== null;
      return [...(await planStop()), ...(isThere ? [removing(path)] : [])];
    },
    planStop,
    async status(): Promise<ServiceStatus> {
      const { code, stdout } = await runTool('launchctl', ['print', target], env);
      const isThere = (await readIfThere(path)) !== null;
      const pid = /^\s*pid = (\d+)$/m.exec(stdout)?.[1];
      return {
        manager: 'launchd',
        installed: isThere,
        enabled: isThere && code === 0,
        active: /^\s*state = (.+)$/m.exec(stdout)?.[1] ?? 'not loaded',
        running: pid !== undefined,
        listens: code === 0,
        pid: pid === undefined ? null : Number(pid),
        detail: null,
        files: isThere ? [path] : [],
      };
    },
    planRescue: () => Promise.resolve(null),
  };
}

/** launchd makes the socket, but not its directory. */
function makingDirectory(path: string): Step {
  return {
    does: `make ${path}, 0700`,
    run: async () => {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await chmod(path, 0o700);
    },
  };
}
