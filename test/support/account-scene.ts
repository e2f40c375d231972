import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedLocks } from '../../src/auth-file/shared-lock.js';
import type { AccountConfig } from '../../src/config/accounts.js';
import type { Settings } from '../../src/config/settings.js';
import { CODEX_BASE_URLS } from '../../src/core/base-urls.js';
import { DEFAULT_POLICY } from '../../src/core/plan.js';
import { ClaimedDirectories } from '../../src/keeper/claimed-directories.js';
import { Holdings } from '../../src/keeper/holdings.js';
import { Pace } from '../../src/keeper/pace.js';
import { systemClock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import type { Surroundings } from '../../src/surroundings.js';
import { loginText, World } from '../keeper/world.js';
import { scratchDir } from './scratch-dir.js';
import { makeJwt } from './tokens.js';

/** What `keepAccount` and `Accounts` are given. */
export interface AccountScene {
  readonly config: AccountConfig;
  readonly settings: Pick<Settings, 'socketPath' | 'stateDirectory' | 'accounts'>;
  readonly surroundings: Surroundings;
}

/** A home with a login that is not due, on the real disk, in a process in which nothing else is real. */
export async function makeAccountScene(others: Partial<Surroundings> = {}): Promise<AccountScene> {
  const directory = await scratchDir();
  const codexHome = join(directory, 'home');
  await mkdir(codexHome);
  const now = Math.floor(Date.now() / 1000);
  const accessToken = makeJwt({ iat: now, exp: now + 86_400, accountId: 'a' });
  const login = loginText(accessToken, 'refresh-1', now * 1000);
  await writeFile(join(codexHome, 'auth.json'), login);
  const config: AccountConfig = {
    name: 'default',
    codexHome,
    tokenEndpoint: 'https://auth.example.com/oauth/token',
    clientId: 'client',
    bodyFormat: 'json',
    scope: null,
    baseUrls: CODEX_BASE_URLS,
    policy: DEFAULT_POLICY,
    publishIn: [],
  };
  const stateDirectory = join(directory, 'state');
  return {
    config,
    settings: { socketPath: '/nowhere.sock', stateDirectory, accounts: [config] },
    surroundings: {
      fs: systemFileSystem,
      clock: systemClock,
      random: Math.random,
      machine: 'this one',
      sharedLocks,
      directories: new ClaimedDirectories(),
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      pace: new Pace(0),
      holdings: new Holdings(),
      watch: () => Promise.resolve({ recheck: () => Promise.resolve(), close: () => Promise.resolve() }),
      openEndpoint: () => new World().server,
      ...others,
    },
  };
}
