import type { Logger } from 'pino';
import { sharedLocks, type SharedLocks } from './auth-file/shared-lock.js';
import { watchAuthFile, type AuthFileWatch, type WatchOptions } from './auth-file/watch.js';
import type { AccountConfig } from './config/accounts.js';
import { ClaimedDirectories } from './keeper/claimed-directories.js';
import { Holdings } from './keeper/holdings.js';
import type { HoldingsPort, LogPort, PacePort, TokenEndpointPort } from './keeper/ports.js';
import { systemClock, type Clock } from './os/clock.js';
import { systemFileSystem, type FileSystem } from './os/file-system.js';
import { identifyMachine } from './os/machine.js';
import type { Environment } from './os/paths.js';
import { TokenEndpoint } from './token-endpoint/token-endpoint.js';
import { readVersion } from './version.js';

/** All that an account's keeping meets of the world: the real things here, virtual ones in the simulation. */
export interface Surroundings {
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Names the running kernel. */
  readonly machine: string;
  readonly sharedLocks: SharedLocks;
  readonly directories: ClaimedDirectories;
  readonly log: LogPort;
  /** One for all accounts. */
  readonly pace: PacePort;
  /** The same. */
  readonly holdings: HoldingsPort;
  readonly watch: (options: WatchOptions) => Promise<AuthFileWatch>;
  readonly openEndpoint: (config: AccountConfig) => TokenEndpointPort;
}

/** The surroundings of a process that runs for real. */
export function realSurroundings(env: Environment, log: Logger, pace: PacePort): Surroundings {
  return {
    fs: systemFileSystem,
    clock: systemClock,
    random: Math.random,
    machine: identifyMachine(),
    sharedLocks,
    directories: new ClaimedDirectories(),
    log,
    pace,
    holdings: new Holdings(),
    watch: watchAuthFile,
    openEndpoint: ({ tokenEndpoint, clientId, scope, bodyFormat }) =>
      new TokenEndpoint({
        url: tokenEndpoint,
        clientId,
        scope,
        bodyFormat,
        userAgent: `codex-authd/${readVersion()}`,
        env,
      }),
  };
}
