import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OidcServer } from '../../test/support/oidc-server.js';

/** The daemon as a process. */
export interface Daemon extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
  /** Rejects when the process ends before it is told to. */
  readonly broken: Promise<never>;
  /** For the case that there is no time left to end it as a service manager would, by its disposal. */
  readonly kill: () => void;
}

const BIN = fileURLToPath(new URL('../../bin/codex-authd.js', import.meta.url));

/** Lines of the daemon's log that are shown if it ends. */
const SHOWN_LINES = 10;

/** Starts the daemon in a home of its own; resolves when it listens. */
export async function startDaemon(home: string, server: OidcServer): Promise<Daemon> {
  const socket = join(home, 'authd.sock');
  const config = join(home, 'config.toml');
  await writeFile(config, configFor(server));
  const args = [BIN, 'run', '--codex-home', home, '--socket', socket, '--config', config];
  // A process group of its own: Ctrl-C is for the demo, which then stops the daemon in order.
  const child = spawn(process.execPath, args, {
    env: environment(home),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const log: string[] = [];
  const listening = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      if (line.includes('"msg":"listening"')) resolve();
    });
  });
  const ended = untilEnded(child);
  let isStopping = false;
  const broken = ended.then((how): Promise<never> => {
    if (isStopping) return new Promise(() => undefined);
    throw new Error(`the daemon ended ${how}; its last words:\n${log.slice(-SHOWN_LINES).join('\n')}`);
  });
  broken.catch(() => undefined);
  await Promise.race([listening, broken]);
  return {
    pid: child.pid ?? 0,
    socket,
    broken,
    kill: () => {
      child.kill('SIGKILL');
    },
    [Symbol.asyncDispose]: async () => {
      isStopping = true;
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function untilEnded(child: ChildProcess): Promise<string> {
  await once(child, 'close');
  return child.signalCode === null ? `with code ${String(child.exitCode)}` : `by ${child.signalCode}`;
}

function configFor(server: OidcServer): string {
  return [
    `token_endpoint = "${server.tokenEndpoint}"`,
    `client_id = "${server.clientId}"`,
    'body_format = "form"',
    `scope = "${server.scope}"`,
    '',
  ].join('\n');
}

/** Whatever would lead the daemon to another login, another server or another socket than the demo's. */
const FOREIGN = /^((https?|all|no)_proxy|codex_.*|ssl_cert_file|xdg_.*|notify_socket|listen_(fds|pid))$/i;

function environment(home: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return {
    ...Object.fromEntries(own),
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_RUNTIME_DIR: home,
  };
}
