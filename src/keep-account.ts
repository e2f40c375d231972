import { join } from 'node:path';
import type { Logger } from 'pino';
import { AuthFile } from './auth-file/auth-file.js';
import { Journal } from './auth-file/journal.js';
import { locateRealFile } from './auth-file/locate.js';
import { AccountLock } from './auth-file/lock.js';
import { RecordStore } from './auth-file/record-store.js';
import { removeLeftovers } from './auth-file/stage.js';
import { watchAuthFile } from './auth-file/watch.js';
import type { AccountConfig, Settings } from './config/settings.js';
import { AuthdError } from './errors.js';
import { Keeper, type KeeperSettings } from './keeper/keeper.js';
import { systemClock as clock } from './os/clock.js';
import { systemFileSystem as fs } from './os/file-system.js';
import type { Environment } from './os/paths.js';
import { TokenEndpoint } from './token-endpoint/token-endpoint.js';
import { readVersion } from './version.js';

/** One account at work: everything that is wired together for it. */
export interface KeptAccount {
  readonly keeper: Keeper;
  readonly authFile: string;
  /** To be called every few seconds. */
  tick(): void;
  configure(config: AccountConfig): void;
  /** Finishes a rotation in flight, then lets go of everything. */
  close(): Promise<void>;
}

/**
 * Takes the account's lock, reads its auth.json and starts to keep it.
 *
 * @throws AuthdError `already_running` if another daemon keeps it
 */
export async function keepAccount(
  config: AccountConfig,
  settings: Settings,
  env: Environment,
  log: Logger,
): Promise<KeptAccount> {
  const path = join(config.codexHome, 'auth.json');
  const reportFailure =
    (message: string) =>
    (error: unknown): void => {
      log.error({ account: config.name, err: error }, message);
    };
  const lock = new AccountLock(
    path,
    settings.socketPath,
    fs,
    clock,
    reportFailure('the account lock was lost'),
  );
  await takeLock(lock, path, log);

  const keeper = new Keeper({
    ...keeperSettings(config, env),
    account: config.name,
    authFile: new AuthFile(path, fs, clock),
    record: new RecordStore(fs, settings.stateDirectory, config.name),
    journal: new Journal(fs, settings.stateDirectory, config.name),
    lock,
    clock,
    log,
    random: Math.random,
  });
  const watch = await watchAuthFile({
    path,
    fs,
    clock,
    onDirty: () => void keeper.observe(),
    onError: reportFailure('watching auth.json failed; it is still read every few seconds'),
  });
  await keeper.start();

  return {
    keeper,
    authFile: path,
    tick() {
      watch.recheck().catch(reportFailure('watching auth.json failed; it is still read every few seconds'));
      void keeper.tick();
    },
    configure(changed) {
      keeper.configure(keeperSettings(changed, env));
    },
    async close() {
      await keeper.stop();
      await watch.close();
      await lock.release();
    },
  };
}

/** A directory in which no lock can be made is no reason to serve nobody: only rotations need it. */
async function takeLock(lock: AccountLock, path: string, log: Logger): Promise<void> {
  try {
    await lock.ensure();
    const count = await removeLeftovers(fs, await locateRealFile(fs, path));
    if (count > 0) log.info({ count }, 'removed temporary files of a daemon that was killed');
  } catch (error) {
    if (error instanceof AuthdError && error.code === 'already_running') throw error;
    log.warn({ auth_file: path, err: error }, 'the account lock cannot be taken yet');
  }
}

function keeperSettings(config: AccountConfig, env: Environment): KeeperSettings {
  return {
    policy: config.policy,
    baseUrls: config.baseUrls,
    endpoint: new TokenEndpoint({
      url: config.tokenEndpoint,
      clientId: config.clientId,
      scope: config.scope,
      bodyFormat: config.bodyFormat,
      userAgent: `codex-authd/${readVersion()}`,
      env,
    }),
  };
}
