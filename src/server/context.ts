import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { AuthdError } from '../errors.js';
import type { CredentialKeeper } from '../keeper/snapshot.js';
import type { Clock } from '../os/clock.js';
import { DEFAULT_ACCOUNT, type KernelLocks } from '../protocol.js';
import type { Askers } from './askers.js';
import type { RequestCounts } from './counts.js';
import type { EventTexts } from './event-texts.js';
import type { ServerLimits } from './limits.js';
import type { ReceivedBody } from './parse-body.js';
import type { Query } from './query.js';

export interface ServerOptions {
  readonly socketPath: string;
  /** The descriptor of a socket that listens there already, from the service manager; else one is made. */
  readonly listener?: number | undefined;
  /** Read at every request: accounts can come and go when the configuration is read again. */
  readonly keepers: () => ReadonlyMap<string, CredentialKeeper>;
  /** The daemon's version. */
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly locks: KernelLocks;
  readonly clock: Clock;
  readonly log: Logger;
  /** Instead of the default limits. */
  readonly limits?: Partial<ServerLimits>;
}

/** What every handler may use. */
export interface ServerContext extends Omit<ServerOptions, 'limits'> {
  readonly limits: ServerLimits;
  readonly counts: RequestCounts;
  readonly askers: Askers;
  /** Requests that have been received and whose answer is not finished. */
  readonly inFlight: Set<ServerResponse>;
  /** The open event streams. */
  readonly streams: Set<EventStream>;
  readonly texts: EventTexts;
  /** The text of `/v1/openapi.json`. */
  readonly openapi: () => string;
  readonly metrics: () => Promise<MetricsText>;
}

/** An event stream that is open. */
export interface EventStream {
  readonly keeper: CredentialKeeper;
  end(): void;
}

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** One request that has passed every check. */
export interface Exchange {
  readonly context: ServerContext;
  readonly request: IncomingMessage;
  readonly query: Query;
  /** Empty unless the route takes one. */
  readonly body: ReceivedBody;
  /** A signal that is aborted when the client goes away; made only for handlers that wait. */
  readonly disconnected: () => AbortSignal;
}

/** Whether an account was taken out of the configuration, or is kept by another keeper since. */
export function isStale(context: Pick<ServerContext, 'keepers'>, keeper: CredentialKeeper): boolean {
  return context.keepers().get(keeper.account) !== keeper;
}

/**
 * The keeper of the account that a request names.
 *
 * @throws AuthdError `unknown_account`
 */
export function keeperOf({ context, query }: Exchange): CredentialKeeper {
  const keepers = context.keepers();
  const keeper = keepers.get(query.account);
  if (keeper !== undefined) return keeper;
  const names = [...keepers.keys()];
  throw new AuthdError('unknown_account', `the daemon keeps no account named ${quote(query.account)}`, {
    hint:
      names.length === 0
        ? 'it keeps none at all'
        : `${howToName(query.account)}: ${names.map(quote).join(', ')}`,
  });
}

/** A request that names no account means `default`, also where there is but one other: it must never get another login. */
function howToName(account: string): string {
  return account === DEFAULT_ACCOUNT ? 'name one that it keeps, with account= or --account' : 'it keeps';
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
