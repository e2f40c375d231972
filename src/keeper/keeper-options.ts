import type { BaseUrls } from '../core/base-urls.js';
import type { RefreshPolicy } from '../core/plan.js';
import type {
  HoldingsPort,
  LogPort,
  PacePort,
  PublicationPorts,
  RecordPort,
  TokenEndpointPort,
} from './ports.js';
import type { RotationPorts } from './rotation.js';
import type { ServerTime } from './server-time.js';

/** What may change while a keeper runs. */
export interface KeeperSettings {
  readonly policy: RefreshPolicy;
  readonly baseUrls: BaseUrls;
  readonly endpoint: TokenEndpointPort;
  /** The directories in which the configuration wants the credential as a file. */
  readonly publishIn: readonly string[];
  /** The auth.json of each account that the daemon keeps. */
  readonly homes: readonly string[];
}

/** Everything that a keeper is made of. */
export interface KeeperOptions
  extends KeeperSettings, Omit<RotationPorts, 'onHarvest' | 'onDoubt' | 'onDead' | 'clock'> {
  readonly account: string;
  /** Begun before anything that takes its time, so that no setting of the clock goes unnoticed. */
  readonly time: ServerTime;
  readonly record: RecordPort;
  readonly pace: PacePort;
  readonly holdings: HoldingsPort;
  readonly publications: PublicationPorts;
  readonly log: LogPort;
  /** A number in [0, 1). */
  readonly random: () => number;
}
