import type { AccountConfig } from '../config/accounts.js';
import type { Settings } from '../config/settings.js';
import type { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import type { AccountStatus, StatusBody } from '../protocol.js';
import type { Reach } from '../token-endpoint/reach.js';
import type { Verdict } from './finding.js';

/** What every check may look at: gathered once, and without writing anything. */
export interface Scene {
  readonly env: Environment;
  readonly platform: NodeJS.Platform;
  /** As `process.version` says it. */
  readonly nodeVersion: string;
  readonly nowMs: number;
  /** Of whoever runs this; undefined where there are none. */
  readonly uid: number | undefined;
  readonly socketPath: string;
}

/** The same with a configuration that can be used. */
export interface ConfiguredScene extends Scene {
  readonly settings: Settings;
  /** What answers on the socket, or why nothing does. */
  readonly daemon: StatusBody | AuthdError;
}

/** The same for one account. */
export interface AccountScene extends ConfiguredScene {
  readonly config: AccountConfig;
  /** Of auth.json, as configured. */
  readonly path: string;
  /** As the daemon tells it, else as it reads in the files; an error if neither can be told. */
  readonly status: () => Promise<AccountStatus>;
  /** Asks the token endpoint for nothing, once for all checks. No token is sent. */
  readonly reach: () => Promise<Reach>;
}

/** A check: reads, judges, and leaves everything as it was. */
export interface Check<S extends Scene> {
  readonly id: string;
  readonly run: (scene: S) => Promise<Verdicts> | Verdicts;
}

type Verdicts = Verdict | readonly Verdict[];
