import { pino, type Logger } from 'pino';
import type { SettingFlags } from './config/flags.js';
import { readSettings, type Settings } from './config/settings.js';
import { describeError } from './errors.js';
import { keepAccount, type KeptAccount } from './keep-account.js';
import { systemClock } from './os/clock.js';
import type { Environment } from './os/paths.js';
import { findKernelLocks } from './os/native.js';
import { onSignals } from './os/signals.js';
import { startTicking } from './os/tick.js';
import type { KernelLocks } from './protocol.js';
import { startServer, type RunningServer, type ServerOptions } from './server/server.js';
import { realSurroundings } from './surroundings.js';
import { readVersion } from './version.js';

export interface DaemonOptions {
  readonly flags: SettingFlags;
  readonly env: Environment;
}

/**
 * Runs the daemon in the foreground until SIGTERM or SIGINT. Resolves to the exit code.
 *
 * @throws AuthdError before it is up: bad configuration, an account or a socket that is taken
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const startedAtMs = systemClock.now();
  const settings = await readSettings(options.flags, options.env);
  const log = openLog(settings.logLevel);
  const locks = await findKernelLocks();
  if (locks !== 'flock') warnOfLocks(locks, log);
  const accounts: KeptAccount[] = [];
  const stopped = untilStopped(() => void reload(options, settings, accounts, log));
  try {
    const surroundings = realSurroundings(options.env, log);
    for (const config of settings.accounts) {
      accounts.push(await keepAccount(config, settings, surroundings));
    }
    const server = await serve(settings, accounts, { startedAtMs, locks }, log);
    for (const account of accounts) account.activate();
    const stopTicking = startTicking(() => {
      for (const account of accounts) void account.tick();
    }, log);
    log.info({ signal: await stopped }, 'stopping');
    await stopTicking();
    await Promise.all(accounts.map((account) => account.finish()));
    await server.close();
  } finally {
    await Promise.all(accounts.map((account) => account.close()));
  }
  log.info({}, 'stopped');
  return 0;
}

async function serve(
  { socketPath }: Settings,
  accounts: readonly KeptAccount[],
  facts: Pick<ServerOptions, 'startedAtMs' | 'locks'>,
  log: Logger,
): Promise<RunningServer> {
  const version = readVersion();
  const keepers = new Map(accounts.map(({ keeper }) => [keeper.account, keeper]));
  const server = await startServer({
    socketPath,
    keepers: () => keepers,
    version,
    ...facts,
    clock: systemClock,
    log,
  });
  for (const { keeper, authFile } of accounts) {
    const { name, detail } = keeper.state;
    log.info({ account: keeper.account, auth_file: authFile, state: name, detail }, 'keeping');
  }
  log.info({ socket: socketPath, version, pid: process.pid }, 'listening');
  return server;
}

/** The comparison before the rename is what is left then: it closes all but the instant between the two. */
function warnOfLocks(locks: KernelLocks, log: Logger): void {
  log.warn(
    { locks, hint: 'install it where codex-authd is installed: `npm install koffi`' },
    "without koffi there is no flock: Codex's own locks cannot be taken, and a login that Codex writes in the instant " +
      'in which the daemon replaces auth.json may be lost',
  );
}

function untilStopped(reload: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    onSignals({
      reload,
      stop: resolve,
      abort: () => {
        process.exit(1);
      },
    });
  });
}

/** A configuration that cannot be used costs nothing but a message: the old one stays in force. */
async function reload(
  { flags, env }: DaemonOptions,
  running: Settings,
  accounts: readonly KeptAccount[],
  log: Logger,
): Promise<void> {
  try {
    const settings = await readSettings(flags, env);
    log.level = settings.logLevel;
    for (const account of accounts) {
      const config = settings.accounts.find(({ name }) => name === account.keeper.account);
      const before = running.accounts.find(({ name }) => name === account.keeper.account);
      if (config !== undefined) account.configure(config);
      if (config?.codexHome !== before?.codexHome) log.warn({}, 'codex_home takes effect at the next start');
    }
    if (settings.socketPath !== running.socketPath) log.warn({}, 'socket takes effect at the next start');
    log.info({}, 'configuration read again');
  } catch (error) {
    const reason = describeError(error);
    log.error({ reason }, 'the configuration cannot be used; the old one stays in force');
  }
}

/** JSON lines on stderr. Whoever reads them may go away without taking the daemon along. */
function openLog(level: string): Logger {
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on('error', () => undefined);
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, formatters, timestamp: pino.stdTimeFunctions.isoTime, base: null }, destination);
}
