import { pino, type Logger } from 'pino';
import { Accounts } from './accounts.js';
import { IncidentStore } from './auth-file/incident-store.js';
import { stateName } from './auth-file/state-name.js';
import type { SettingFlags } from './config/flags.js';
import { readSettings, type Settings } from './config/settings.js';
import { AuthdError, describeError } from './errors.js';
import { Pace } from './keeper/pace.js';
import { loadAhead } from './load-ahead.js';
import { showNotification } from './notices/desktop.js';
import { runHook } from './notices/hook.js';
import { Notices } from './notices/notices.js';
import { systemClock } from './os/clock.js';
import { systemFileSystem } from './os/file-system.js';
import type { Environment } from './os/paths.js';
import { findKernelLocks } from './os/native.js';
import { onSignals } from './os/signals.js';
import { startTicking } from './os/tick.js';
import type { KernelLocks } from './protocol.js';
import { findListener } from './server/probe.js';
import { startServer, type RunningServer, type ServerOptions } from './server/server.js';
import {
  findLaunchSocket,
  forgetInheritance,
  readInheritance,
  type Inheritance,
} from './service/inheritance.js';
import { startReports, type Reports } from './service/reports.js';
import { realSurroundings } from './surroundings.js';
import { readVersion } from './version.js';

export interface DaemonOptions {
  readonly flags: SettingFlags;
  readonly env: Environment;
  /** The account that is meant; every one if absent. */
  readonly account?: string | undefined;
}

/**
 * Runs the daemon in the foreground until SIGTERM or SIGINT. Resolves to the exit code.
 *
 * @throws AuthdError before it is up: bad configuration, an account or a socket that is taken
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const startedAtMs = systemClock.now();
  const settings = await readSettings(options.flags, options.env);
  refuseOthers(settings, options.account);
  const log = openLog(settings.logLevel);
  const locks = await findKernelLocks();
  if (locks !== 'flock') warnOfLocks(locks, log);
  const pace = new Pace(settings.rotationGapMs);
  const accounts = new Accounts(realSurroundings(options.env, log, pace));
  const signals = watchSignals(accounts, log);
  const inherited = readInheritance(options.env, process.pid);
  forgetInheritance(process.env);
  try {
    await accounts.open(settings);
    const listener = inherited.listener ?? (await findLaunchSocket(options.env));
    const server = await serve(settings, accounts, { startedAtMs, locks, listener }, log);
    const notices = openNotices(settings, log);
    notices.follow(accounts.keepers.values());
    const manager = await report({ ...inherited, listener }, server, accounts, log);
    accounts.activate();
    void loadAhead(log);
    const running = { ...options, running: settings, accounts, pace, server, notices, log };
    signals.onReload(() => {
      void manager.whileReloading(reload(running));
    });
    const stopTicking = startTicking(() => {
      accounts.tick();
      manager.tick();
    }, log);
    log.info({ signal: await signals.stopped }, 'stopping');
    manager.stop();
    await stopTicking();
    await accounts.finish();
    await notices.close();
    await server.close();
  } finally {
    await accounts.close();
  }
  log.info({}, 'stopped');
  return 0;
}

async function serve(
  { socketPath }: Settings,
  accounts: Accounts,
  facts: Pick<ServerOptions, 'startedAtMs' | 'locks' | 'listener'>,
  log: Logger,
): Promise<RunningServer> {
  const version = readVersion();
  const keepers = (): Accounts['keepers'] => accounts.keepers;
  const server = await startServer({ socketPath, keepers, version, ...facts, clock: systemClock, log });
  log.info({ socket: socketPath, version, pid: process.pid }, 'listening');
  return server;
}

function openNotices({ notices, stateDirectory }: Settings, log: Logger): Notices {
  return new Notices({
    settings: notices,
    now: () => systemClock.now(),
    log,
    incidentsOf: (account, authFile) =>
      new IncidentStore(systemFileSystem, stateDirectory, stateName(account, authFile)),
    showNotification,
    runHook,
  });
}

/**
 * Tells the service manager, if there is one, that the daemon is ready, and from now on how it is.
 *
 * @throws AuthdError `bad_socket` if the socket that was passed is not the one that clients ask
 */
async function report(
  inherited: Inheritance,
  { socketPath }: RunningServer,
  accounts: Accounts,
  log: Logger,
): Promise<Reports> {
  const answers = async (): Promise<boolean> => (await findListener(socketPath)) === process.pid;
  if (inherited.listener !== undefined && !(await answers())) {
    throw new AuthdError('bad_socket', `the service manager's socket is not the one at ${socketPath}`, {
      hint: 'run `codex-authd service install` again, which makes both the same',
    });
  }
  return startReports({ inherited, clock: systemClock, answers, accounts, log });
}

/**
 * Whoever names an account would else be kept other ones, and never be told.
 *
 * @throws AuthdError `usage`
 */
function refuseOthers({ accounts }: Settings, account: string | undefined): void {
  const names = accounts.map(({ name }) => JSON.stringify(name));
  if (account === undefined || names.join() === JSON.stringify(account)) return;
  const others = `it keeps ${names.join(', ')}: leave --account out`;
  throw new AuthdError('usage', `\`run\` cannot keep the account ${JSON.stringify(account)} alone`, {
    hint: `${others}; for another auth.json name its directory with --codex-home, or in an [[account]]`,
  });
}

/** The comparison before the rename is what is left then: it closes all but the instant between the two. */
function warnOfLocks(locks: KernelLocks, log: Logger): void {
  log.warn(
    { locks, hint: 'install it where codex-authd is installed: `npm install koffi`' },
    "without koffi there is no flock: Codex's own locks cannot be taken, and a login that Codex writes in the instant " +
      'in which the daemon replaces auth.json may be lost',
  );
}

const NOT_AT_ONCE = 'not at once: a refresh token was sent, and its answer would be lost';

interface Signals {
  readonly stopped: Promise<NodeJS.Signals>;
  /** Sets what a SIGHUP does, also one that has come already. */
  onReload(act: () => void): void;
}

/** Whoever sends a second signal wants the end at once, and gets it unless that would cost a login. */
function watchSignals(accounts: Accounts, log: Logger): Signals {
  let isEarly = false;
  let reloadNow = (): void => {
    isEarly = true;
  };
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    onSignals({
      reload: () => {
        reloadNow();
      },
      stop: resolve,
      abort: () => {
        if (!accounts.isAtStake) process.exit(1);
        log.warn({ hint: 'wait for three minutes; SIGKILL ends it, and perhaps the login' }, NOT_AT_ONCE);
      },
    });
  });
  return {
    stopped,
    onReload(act) {
      reloadNow = act;
      if (isEarly) act();
    },
  };
}

interface Running extends DaemonOptions {
  /** What the daemon was started with. */
  readonly running: Settings;
  readonly accounts: Accounts;
  readonly pace: Pace;
  readonly server: RunningServer;
  readonly notices: Notices;
  readonly log: Logger;
}

/** A configuration that cannot be used costs nothing but a message: the old one stays in force. */
async function reload({ flags, env, running, ...parts }: Running): Promise<void> {
  const { accounts, pace, server, notices, log } = parts;
  let failure = 'the configuration cannot be used; the old one stays in force';
  try {
    const settings = await readSettings(flags, env);
    log.level = settings.logLevel;
    pace.gapMs = settings.rotationGapMs;
    notices.configure(settings.notices);
    if (settings.socketPath !== running.socketPath) log.warn({}, 'socket takes effect at the next start');
    failure = 'not every account has its new settings: reload once more';
    await accounts.reload({ ...settings, socketPath: running.socketPath }, () => {
      server.endStale();
      notices.follow(accounts.keepers.values());
    });
    log.info({}, 'configuration read again');
  } catch (error) {
    const reason = describeError(error);
    log.error({ reason }, failure);
  }
}

/** JSON lines on stderr. Whoever reads them may go away without taking the daemon along. */
function openLog(level: string): Logger {
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on('error', () => undefined);
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, formatters, timestamp: pino.stdTimeFunctions.isoTime, base: null }, destination);
}
