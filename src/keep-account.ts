import { join } from 'node:path';
import { AuthFile } from './auth-file/auth-file.js';
import { Journal } from './auth-file/journal.js';
import { HeldRecord } from './auth-file/held-record.js';
import { Journals } from './auth-file/journals.js';
import { locateRealFile } from './auth-file/locate.js';
import { AccountLock } from './auth-file/lock.js';
import { PublicationStore } from './auth-file/publication-store.js';
import { PublishedFile } from './auth-file/published-file.js';
import { RecordStore } from './auth-file/record-store.js';
import { removeLeftovers } from './auth-file/stage.js';
import { stateName } from './auth-file/state-name.js';
import { TokenLocks } from './auth-file/token-locks.js';
import type { AccountConfig } from './config/accounts.js';
import type { Settings } from './config/settings.js';
import { AuthdError, describeError } from './errors.js';
import { Keeper } from './keeper/keeper.js';
import type { KeeperSettings } from './keeper/keeper-options.js';
import type { LogPort } from './keeper/ports.js';
import { ServerTime } from './keeper/server-time.js';
import type { FileSystem } from './os/file-system.js';
import type { Surroundings } from './surroundings.js';

/** One account at work: everything that is wired together for it. */
export interface KeptAccount {
  readonly keeper: Keeper;
  readonly codexHome: string;
  readonly authFile: string;
  /** Lets it rotate from now on. */
  activate(): void;
  /** To be called every few seconds. While one hangs, on a file system that does not answer, no other is begun. */
  tick(): Promise<void>;
  configure(config: AccountConfig, accounts: readonly AccountConfig[]): void;
  /** Finishes a rotation in flight; what is there is served on. */
  finish(): Promise<void>;
  /** The same where nobody will keep it: what is published is removed too. */
  retire(): Promise<void>;
  /** Lets go of the file, for a successor. */
  close(): Promise<void>;
}

/**
 * What to do where another daemon keeps the account. To `refuse` it says so to whoever starts one daemon for one account; to
 * `stand by` serves what is in the file, which the other one renews, and takes over when that has gone.
 */
export type WhenKept = 'refuse' | 'stand by';

/**
 * Takes the account's lock and reads its auth.json. Nothing is sent before `activate`.
 *
 * @throws AuthdError `already_running` if another daemon keeps it and that is to be refused
 */
export async function keepAccount(
  config: AccountConfig,
  settings: Pick<Settings, 'socketPath' | 'stateDirectory' | 'accounts'>,
  surroundings: Surroundings,
  whenKept: WhenKept = 'refuse',
): Promise<KeptAccount> {
  const { clock, log } = surroundings;
  // The lock may take its time, in which the clock may be set.
  const time = new ServerTime(clock);
  const path = join(config.codexHome, 'auth.json');
  const onLost = failureReporter(config.name, log)('the account lock was lost');
  const lock = new AccountLock({ ...surroundings, ...settings, path, socket: settings.socketPath, onLost });
  await takeLock(lock, config.name, whenKept, log);
  try {
    return await keepUnder(lock, config, settings, surroundings, time);
  } catch (error) {
    // Whoever tries again in this process would meet it.
    await lock.release(true).catch(() => undefined);
    throw error;
  }
}

async function keepUnder(
  lock: AccountLock,
  config: AccountConfig,
  settings: Pick<Settings, 'socketPath' | 'stateDirectory' | 'accounts'>,
  surroundings: Surroundings,
  time: ServerTime,
): Promise<KeptAccount> {
  const { fs, clock, log } = surroundings;
  const path = join(config.codexHome, 'auth.json');
  const name = stateName(config.name, path);
  const journal = new Journal(fs, settings.stateDirectory, name, clock, () => lock.held);
  const records = new RecordStore(fs, settings.stateDirectory, name);
  const tokenLocks = new TokenLocks(fs, settings.stateDirectory);
  const publications = new PublicationStore(fs, settings.stateDirectory, name);
  await sweep(path, fs, [journal, tokenLocks, publications], lock, log);

  const others = new Map<string, Journal>();
  const othersNow = (): Journal[] =>
    lock.otherStates.map((directory) => {
      const other = others.get(directory) ?? new Journal(fs, directory, name, clock);
      others.set(directory, other);
      return other;
    });
  const journals = new Journals(journal, othersNow, clock);
  const keeper = new Keeper({
    ...keeperSettings(config, settings.accounts, surroundings),
    account: config.name,
    authFile: new AuthFile(path, fs, clock),
    publications: {
      fileIn: (directory) => new PublishedFile(directory, fs, clock),
      store: publications,
      directories: surroundings.directories,
    },
    record: new HeldRecord(records, lock),
    otherRecords: () => records.loadOthers(),
    journal: journals,
    lock,
    tokenLocks,
    time,
    log,
    random: surroundings.random,
    pace: surroundings.pace,
    holdings: surroundings.holdings,
  });
  const reportFailure = failureReporter(config.name, log);
  const watch = await surroundings.watch({
    path,
    fs,
    clock,
    onDirty: () => {
      void keeper.observe();
      void keeper.claim();
    },
    onError: reportFailure(WATCH_FAILED),
  });
  await keeper.open().catch(async (error: unknown) => {
    await watch.close().catch(reportFailure(WATCH_FAILED));
    throw error;
  });

  const tickNow = async (): Promise<void> => {
    // What is read is not to wait for what watches: two files may lie on two file systems.
    void watch.recheck().catch(reportFailure(WATCH_FAILED));
    await keeper.tick().catch(reportFailure('auth.json could not be looked at'));
  };
  let ticking: Promise<void> | null = null;

  return {
    keeper,
    codexHome: config.codexHome,
    authFile: path,
    activate() {
      keeper.activate();
    },
    tick() {
      ticking ??= tickNow().finally(() => {
        ticking = null;
      });
      return ticking;
    },
    configure(changed, accounts) {
      keeper.configure(keeperSettings(changed, accounts, surroundings));
    },
    finish() {
      return keeper.stop();
    },
    retire() {
      return keeper.stop('retire');
    },
    async close() {
      try {
        await watch.close();
      } finally {
        const isUnsettled = await journals.read().then(
          (left) => left.length > 0,
          // What cannot be read now may be read by whoever comes next.
          () => true,
        );
        await lock.release(isUnsettled);
      }
    },
  };
}

const WATCH_FAILED = 'watching auth.json failed; it is still read every few seconds';

/**
 * A directory in which no lock can be made, or that is not there yet, is no reason to serve nobody: only rotations
 * need it, and the keeper tries again with every change and every tick.
 *
 * @throws AuthdError `already_running` if another daemon has it and that is to be refused
 */
async function takeLock(lock: AccountLock, account: string, whenKept: WhenKept, log: LogPort): Promise<void> {
  try {
    await lock.ensure();
  } catch (error) {
    const isKept = error instanceof AuthdError && error.code === 'already_running';
    if (isKept && whenKept === 'refuse') throw error;
    log.warn({ account, reason: describeError(error) }, 'the account lock cannot be taken yet');
  }
}

/** Removes what a daemon before this one left half done; its journal has what mattered. */
async function sweep(
  path: string,
  fs: FileSystem,
  stores: readonly { readonly sweep: () => Promise<void> }[],
  lock: AccountLock,
  log: LogPort,
): Promise<void> {
  if (!lock.held) return;
  const sweepings = [
    async (): Promise<void> => {
      const count = await removeLeftovers(fs, await locateRealFile(fs, path), () => lock.held);
      if (count > 0) log.info({ count }, 'removed temporary files of a daemon that was killed');
    },
    ...stores.map((store) => () => store.sweep()),
  ];
  for (const each of sweepings) {
    await each().catch((error: unknown) => {
      const reason = describeError(error);
      log.warn({ reason }, 'temporary files of a daemon before this one cannot be removed');
    });
  }
}

function failureReporter(account: string, log: LogPort): (message: string) => (error: unknown) => void {
  return (message) => (error) => {
    log.error({ account, err: error }, message);
  };
}

function keeperSettings(
  { policy, baseUrls, publishIn, ...config }: AccountConfig,
  accounts: readonly AccountConfig[],
  { openEndpoint }: Surroundings,
): KeeperSettings {
  const endpoint = openEndpoint({ policy, baseUrls, publishIn, ...config });
  const homes = accounts.map(({ codexHome }) => join(codexHome, 'auth.json'));
  return { policy, baseUrls, publishIn, homes, endpoint };
}
