import { findSocket } from '../client/find-socket.js';
import { readStatus } from '../client/status.js';
import { AuthdError } from '../errors.js';
import type { StatusBody } from '../protocol.js';
import type { DaemonCommand } from '../service/daemon-command.js';
import type { ServiceManager } from '../service/service-manager.js';
import { readVersion } from '../version.js';
import type { Invocation } from './command.js';

/** The daemon that a command line means, and how a service would start it. */
export async function daemonMeant({ settings, env }: Invocation): Promise<DaemonCommand> {
  const { describeDaemon } = await import('../service/daemon-command.js');
  return describeDaemon(settings, env, await findSocket({ ...settings, env }));
}

/** Who answers on a socket; null if nobody does. @throws AuthdError if somebody does, and not as a daemon */
export async function whoAnswers(socket: string): Promise<StatusBody | null> {
  try {
    return await readStatus(socket);
  } catch (error) {
    if (error instanceof AuthdError && error.code === 'daemon_not_running') return null;
    throw error;
  }
}

/**
 * Who answers, and is not called into being by the question: whoever connects to a socket that a service manager holds
 * has the service started.
 */
export async function whoRuns(socket: string, manager: ServiceManager): Promise<StatusBody | null> {
  const { listens, running } = await manager.status();
  return listens && !running ? null : whoAnswers(socket);
}

/** The line that starts the daemon where nothing else does. */
export function runLine({ node, script, args }: DaemonCommand): string {
  return [node, script, ...args].map(quoteForShell).join(' ');
}

/** `install` must not take the socket away from a daemon that somebody runs by hand. @throws AuthdError `already_running` */
export async function refuseForeign(
  manager: ServiceManager,
  running: StatusBody | null,
): Promise<{ readonly isOutdated: boolean }> {
  if (running === null) return { isOutdated: false };
  const { running: isOurs, pid } = await manager.status();
  if (isOurs && (pid === null || pid === running.pid)) {
    return { isOutdated: running.version !== readVersion() };
  }
  throw new AuthdError('already_running', `a daemon that is no service answers on ${running.socket}`, {
    hint: `stop it first: \`kill ${String(running.pid)}\``,
  });
}

function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
