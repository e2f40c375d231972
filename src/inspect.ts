import { join } from 'node:path';
import { AuthFile } from './auth-file/auth-file.js';
import { RecordStore } from './auth-file/record-store.js';
import { stateName } from './auth-file/state-name.js';
import type { AccountConfig } from './config/accounts.js';
import { readSettings } from './config/settings.js';
import type { AccountRecord } from './core/account-record.js';
import { identifyEndpoint } from './core/endpoint-identity.js';
import { loginIn } from './core/login.js';
import { decideState, servable } from './core/state.js';
import type { DaemonOptions } from './daemon.js';
import { AuthdError } from './errors.js';
import { Ledger } from './keeper/ledger.js';
import { systemClock as clock } from './os/clock.js';
import { systemFileSystem as fs } from './os/file-system.js';
import type { AccountStatus } from './protocol.js';
import { accountStatus } from './server/bodies.js';

/**
 * What can be told of the accounts, or of the one that is named, without a daemon: reads each auth.json and its record,
 * and writes nothing.
 *
 * @throws AuthdError `unknown_account`, `bad_configuration`, or `storage` if a file does not hold still
 */
export async function inspectAccounts({ flags, env, account }: DaemonOptions): Promise<AccountStatus[]> {
  const { accounts, stateDirectory } = await readSettings(flags, env);
  const chosen = accounts.filter(({ name }) => account === undefined || name === account);
  if (account !== undefined && chosen.length === 0) {
    throw new AuthdError('unknown_account', `there is no account named \`${account}\``, {
      hint: `the accounts are ${accounts.map(({ name }) => name).join(', ')}`,
    });
  }
  return Promise.all(chosen.map((config) => inspectAccount(config, stateDirectory)));
}

async function inspectAccount(config: AccountConfig, stateDirectory: string): Promise<AccountStatus> {
  const { name: account } = config;
  const authFile = new AuthFile(join(config.codexHome, 'auth.json'), fs, clock);
  const reading = await authFile.readSettled();
  if (reading.kind === 'unsettled') {
    throw new AuthdError('storage', 'auth.json is being written all the time', { hint: 'ask again' });
  }
  const store = new RecordStore(fs, stateDirectory, stateName(account, authFile.path));
  const load = (): Promise<AccountRecord | null> => store.load();
  const ledger = new Ledger(account, { load, open: load, save: () => Promise.resolve(true) }, SILENT);
  const nowMs = clock.now();
  // What is remembered beside the file only adds to what that tells.
  await ledger.open(nowMs).catch(() => undefined);
  const writtenAtMs = reading.kind === 'text' ? reading.modifiedAtMs : 0;
  await ledger.enter(loginIn(reading, config.baseUrls), 'other', writtenAtMs, nowMs);

  const { login, published, facts, record } = ledger;
  const epitaph = ledger.epitaphAt(identifyEndpoint({ ...config, url: config.tokenEndpoint }));
  return accountStatus({
    account,
    state: decideState({ login, nowMs, rotating: false, trouble: epitaph }),
    credential: published !== null && servable(published, nowMs) ? published : null,
    login: facts,
    nextRotationAtMs: null,
    lastRotationAtMs: record.lastRotationAtMs,
    authFile: authFile.path,
    tokenEndpoint: config.tokenEndpoint,
    counts: { own: 0, adopted: 0, requests: 0, failures: 0, rejections: 0 },
    clockOffsetMs: 0,
    published: [],
  });
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
