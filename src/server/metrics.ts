import type * as PromClient from 'prom-client';
import type { KeeperSnapshot } from '../keeper/snapshot.js';
import type { MetricsText, ServerContext } from './context.js';
import { STATE_NAMES } from './vocabulary.js';

/** What the metrics are read from, anew at each scrape. */
export type MetricsSource = Pick<
  ServerContext,
  'keepers' | 'version' | 'startedAtMs' | 'counts' | 'inFlight' | 'streams'
>;

type Labels = Readonly<Record<string, string>>;
type SetValue = (labels: Labels, value: number) => void;

interface Metric {
  readonly type: 'gauge' | 'counter';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Gives every series of the metric its value. */
  readonly read: (source: MetricsSource, set: SetValue) => void;
}

/** The text of `/metrics`. */
export function createMetrics(source: MetricsSource): () => Promise<MetricsText> {
  let registry: PromClient.Registry | undefined;
  return async () => {
    registry ??= buildRegistry(await loadPromClient(), source);
    return { contentType: registry.contentType, text: await registry.metrics() };
  };
}

/**
 * Costs 21 ms (facts 5.10): the start of the daemon does not wait for it.
 *
 * @throws Error if the package is not there
 */
export function loadPromClient(): Promise<typeof PromClient> {
  promClient ??= import('prom-client').catch((error: unknown) => {
    // It may be there later.
    promClient = undefined;
    throw error;
  });
  return promClient;
}

let promClient: Promise<typeof PromClient> | undefined;

const METRICS: readonly Metric[] = [
  {
    type: 'gauge',
    name: 'codex_authd_info',
    help: 'The version of the daemon; always 1.',
    labels: ['version'],
    read: ({ version }, set) => {
      set({ version }, 1);
    },
  },
  {
    type: 'gauge',
    name: 'codex_authd_state',
    help: '1 for the state that an account is in, 0 for all others.',
    labels: ['account', 'state'],
    read: ({ keepers }, set) => {
      for (const keeper of keepers().values()) {
        const { account, state } = keeper.snapshot();
        for (const name of STATE_NAMES) set({ account, state: name }, name === state.name ? 1 : 0);
      }
    },
  },
  {
    type: 'gauge',
    name: 'codex_authd_credential_expiry_timestamp_seconds',
    help: 'When the access token of an account expires, or has expired; absent if it does not.',
    labels: ['account'],
    read: perAccount(({ login }) => toSeconds(login?.expiresAtMs)),
  },
  {
    type: 'gauge',
    name: 'codex_authd_next_rotation_timestamp_seconds',
    help: 'When the token endpoint will next be asked; absent if it will not.',
    labels: ['account'],
    read: perAccount(({ nextRotationAtMs }) => toSeconds(nextRotationAtMs)),
  },
  {
    type: 'gauge',
    name: 'codex_authd_generation',
    help: 'The number of the current credential of an account.',
    labels: ['account'],
    read: perAccount(({ login }) => login?.generation ?? null),
  },
  {
    type: 'gauge',
    name: 'codex_authd_clock_offset_seconds',
    help: "How far this machine's clock is behind the server's; negative where it is ahead.",
    labels: ['account'],
    read: perAccount(({ clockOffsetMs }) => clockOffsetMs / 1000),
  },
  {
    type: 'counter',
    name: 'codex_authd_token_requests_total',
    help: 'Requests to the token endpoint, whatever came of them.',
    labels: ['account'],
    read: perAccount(({ counts }) => counts.requests),
  },
  {
    type: 'counter',
    name: 'codex_authd_rotations_total',
    help: 'New credentials, by who fetched them: this daemon or another process.',
    labels: ['account', 'by'],
    read: ({ keepers }, set) => {
      for (const keeper of keepers().values()) {
        const { account, counts } = keeper.snapshot();
        set({ account, by: 'own' }, counts.own);
        set({ account, by: 'other' }, counts.adopted);
      }
    },
  },
  {
    type: 'counter',
    name: 'codex_authd_failures_total',
    help: 'Requests to the token endpoint that brought no new credential.',
    labels: ['account'],
    read: perAccount(({ counts }) => counts.failures),
  },
  {
    type: 'counter',
    name: 'codex_authd_rejections_total',
    help: 'Reports of consumers that the access token of that moment was answered with a 401.',
    labels: ['account'],
    read: perAccount(({ counts }) => counts.rejections),
  },
  {
    type: 'counter',
    name: 'codex_authd_http_requests_total',
    help: 'Answers on the socket; the route is `none` where the path is unknown.',
    labels: ['route', 'status'],
    read: ({ counts }, set) => {
      for (const { route, status, count } of counts.all()) set({ route, status: String(status) }, count);
    },
  },
  {
    type: 'gauge',
    name: 'codex_authd_requests_in_flight',
    help: 'Requests received whose answer is not finished: event streams and this very scrape among them.',
    labels: [],
    read: ({ inFlight }, set) => {
      set({}, inFlight.size);
    },
  },
  {
    type: 'gauge',
    name: 'codex_authd_event_streams',
    help: 'Clients that listen to /v1/events.',
    labels: [],
    read: ({ streams }, set) => {
      set({}, streams.size);
    },
  },
  {
    type: 'gauge',
    name: 'process_start_time_seconds',
    help: 'When the daemon started.',
    labels: [],
    read: ({ startedAtMs }, set) => {
      set({}, startedAtMs / 1000);
    },
  },
];

/** A metric with one series for each account that has a value. */
function perAccount(valueOf: (snapshot: KeeperSnapshot) => number | null): Metric['read'] {
  return ({ keepers }, set) => {
    for (const keeper of keepers().values()) {
      const snapshot = keeper.snapshot();
      const value = valueOf(snapshot);
      if (value !== null) set({ account: snapshot.account }, value);
    }
  };
}

/** A registry of its own: the default one is global to the process. */
function buildRegistry(
  { Counter, Gauge, Registry }: typeof PromClient,
  source: MetricsSource,
): PromClient.Registry {
  const registry = new Registry();
  for (const { type, name, help, labels, read } of METRICS) {
    const base = { name, help, labelNames: labels, registers: [registry] };
    if (type === 'gauge') {
      new Gauge({
        ...base,
        collect() {
          this.reset();
          read(source, (series, value) => {
            this.set(series, value);
          });
        },
      });
    } else {
      new Counter({
        ...base,
        collect() {
          this.reset();
          read(source, (series, value) => {
            this.inc(series, value);
          });
        },
      });
    }
  }
  return registry;
}

function toSeconds(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : ms / 1000;
}
