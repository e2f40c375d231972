import { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import type { DaemonCommand } from './daemon-command.js';
import type { ServiceFile, Step } from './steps.js';

/** How the service is, as its manager knows it. */
export interface ServiceStatus {
  readonly manager: 'systemd' | 'launchd';
  readonly installed: boolean;
  /** Whether it starts with each login. */
  readonly enabled: boolean;
  /** Whether it runs, in the manager's own word: `active`, `failed`, … */
  readonly active: string;
  readonly running: boolean;
  /** Whether the manager itself holds the socket, and starts the service for whoever connects. */
  readonly listens: boolean;
  readonly pid: number | null;
  /** What the daemon last said of itself; null if it said nothing. */
  readonly detail: string | null;
  readonly files: readonly string[];
}

/** What starts the daemon at login and after a crash. */
export interface ServiceManager {
  readonly name: 'systemd' | 'launchd';
  /** The files as they would be installed. */
  files(command: DaemonCommand): Promise<readonly ServiceFile[]>;
  /** Installs, enables and starts, as far as that is not so yet. `restart` replaces a daemon that runs. */
  planInstall(command: DaemonCommand, restart: boolean): Promise<readonly Step[]>;
  /** Undoes all of it; empty if there is nothing to undo. */
  planUninstall(): Promise<readonly Step[]>;
  /** Stops the service until the next login, or the next start. */
  planStop(): Promise<readonly Step[]>;
  status(): Promise<ServiceStatus>;
  /** After a failed start: steps that may help, with the reason; null if there are none. */
  planRescue(command: DaemonCommand): Promise<Rescue | null>;
}

export interface Rescue {
  readonly because: string;
  readonly steps: readonly Step[];
}

/** The manager of this system, whether it runs or not: for what only writes. @throws AuthdError `usage` if none is known */
export async function managerOf(env: Environment, platform = process.platform): Promise<ServiceManager> {
  if (platform === 'darwin') return (await import('./launchd.js')).launchd(env);
  if (platform === 'linux') return (await import('./systemd.js')).systemd(env);
  throw new AuthdError('usage', `there is no service for ${platform}`, {
    hint: 'run it in the foreground: `codex-authd run`',
  });
}

/** Why there is nobody to install a service with; null if the manager is there. */
export async function findObstacle(env: Environment, platform = process.platform): Promise<string | null> {
  if (platform === 'darwin') return null;
  if (platform !== 'linux') return `there is no service for ${platform}`;
  return (await import('./systemctl.js')).findObstacle(env);
}
