import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../os/paths.js';
import type { DaemonCommand } from './daemon-command.js';

export const SERVICE_UNIT = 'codex-authd.service';
export const SOCKET_UNIT = 'codex-authd.socket';

/**
 * How much of the unit's hardening there is: all of it, or what needs no user namespace, where the kernel or a container
 * gives an ordinary user none.
 */
export type Sandbox = 'full' | 'without namespaces';

/** What in the unit an ordinary user's manager can do in a user namespace only. */
const NEEDS_NAMESPACES =
  /^(PrivateUsers|CapabilityBoundingSet|ProtectSystem|PrivateDevices|Protect(ControlGroups|KernelModules|Clock|Hostname|Proc))=/;

/** The units that are shipped, made for one command. */
export async function renderUnits(
  command: DaemonCommand,
  env: Environment,
  sandbox: Sandbox,
): Promise<{ readonly service: string; readonly socket: string }> {
  const service = (await readShipped(SERVICE_UNIT)).split('\n').flatMap((line) => {
    if (line.startsWith('ExecStart=')) return commandLines(command);
    return sandbox !== 'full' && NEEDS_NAMESPACES.test(line) ? [] : [line];
  });
  const socket = (await readShipped(SOCKET_UNIT))
    .split('\n')
    .map((line) => (line.startsWith('ListenStream=') ? `ListenStream=${listenPath(command, env)}` : line));
  return { service: service.join('\n'), socket: socket.join('\n') };
}

function readShipped(name: string): Promise<string> {
  return readFile(new URL(`../../systemd/${name}`, import.meta.url), 'utf8');
}

function commandLines({ node, script, args, environment }: DaemonCommand): string[] {
  // A variable may stand in any word but the first, which is taken as it is.
  const rest = [script, ...args].map((word) => word.replaceAll('$', '$$$$'));
  const words = [node, ...rest].map(quote);
  const variables = Object.entries(environment).map(
    ([name, value]) => `Environment=${quote(`${name}=${value}`)}`,
  );
  return [`ExecStart=${words.join(' ')}`, ...variables];
}

/** A word as systemd reads it: `%` begins a specifier, quotes and backslashes are as in C. */
function quote(word: string): string {
  const escaped = word.replaceAll('%', '%%');
  if (/^[\w@%+=:,./$-]+$/.test(escaped)) return escaped;
  const inner = escaped.replace(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
  return `"${inner}"`;
}

/** By the specifier of the runtime directory where it lies there, because that is what makes the unit readable. */
function listenPath({ socket }: DaemonCommand, env: Environment): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  const isDefault = runtime !== undefined && socket === join(runtime, 'codex-authd', 'authd.sock');
  return isDefault ? '%t/codex-authd/authd.sock' : socket.replaceAll('%', '%%');
}
