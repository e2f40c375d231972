import { loadLaunchSockets } from '../os/launch-sockets.js';
import type { Environment } from '../os/paths.js';
import { LABEL, SOCKET_NAME } from './launchd-plist.js';

/** What a service manager gives to the daemon that it starts. */
export interface Inheritance {
  /** Where it wants to be told how the daemon is; undefined if it does not. */
  readonly notifySocket: string | undefined;
  /** How often it wants to hear that the daemon is well, in milliseconds; undefined if never. */
  readonly watchdogMs: number | undefined;
  /** The descriptor of the socket to listen on; undefined if the daemon makes its own. */
  readonly listener: number | undefined;
}

/** Where passed descriptors begin, after stdin, stdout and stderr. */
const FIRST_DESCRIPTOR = 3;

const VARIABLES = [
  ...['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'],
  ...['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'],
];

/** What systemd's variables say, as far as they are meant for the process with this pid. */
export function readInheritance(env: Environment, pid: number): Inheritance {
  const isOurs = (variable: string): boolean => env[variable] === String(pid);
  const watchdogUs = Number(env['WATCHDOG_USEC']);
  const isWatched = watchdogUs > 0 && (env['WATCHDOG_PID'] === undefined || isOurs('WATCHDOG_PID'));
  return {
    notifySocket: env['NOTIFY_SOCKET'] === '' ? undefined : env['NOTIFY_SOCKET'],
    watchdogMs: isWatched ? watchdogUs / 1000 : undefined,
    listener: isOurs('LISTEN_PID') && Number(env['LISTEN_FDS']) >= 1 ? FIRST_DESCRIPTOR : undefined,
  };
}

/** The descriptor of the socket that launchd holds for us; undefined if it started us without one, or did not start us. */
export async function findLaunchSocket(env: Environment): Promise<number | undefined> {
  if (env['XPC_SERVICE_NAME'] !== LABEL) return undefined;
  return (await loadLaunchSockets())?.(SOCKET_NAME)[0];
}

/** An environment without them: for a daemon that nobody of these starts. */
export function withoutInheritance(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !VARIABLES.includes(name)));
}

/** Takes them out of an environment, so that no command that the daemon runs takes them for its own. */
export function forgetInheritance(env: NodeJS.ProcessEnv): void {
  for (const name of VARIABLES) Reflect.deleteProperty(env, name);
}
