import { AuthdError, systemErrorCode } from '../errors.js';
import type { Environment } from '../os/paths.js';
import { makeAgent, proxyVariable } from './agent.js';
import { readCertificates } from './certificates.js';
import { explain } from './explain.js';
import { loadUndici } from './undici.js';

export interface ReachOptions {
  readonly url: string;
  readonly userAgent: string;
  /** Where the proxy and private roots are named. */
  readonly env: Environment;
  /** In milliseconds. */
  readonly deadlineMs?: number;
}

/** Whether a token endpoint can be reached from here, and if not, what is in the way. */
export type Reach =
  | {
      readonly kind: 'reached';
      readonly status: number;
      /** The server's clock, in milliseconds since the epoch; null if it does not tell. */
      readonly serverTimeMs: number | null;
      /** The variable that names the proxy in between; null if there is none. */
      readonly proxy: string | null;
    }
  | {
      readonly kind: 'failed';
      readonly obstacle: 'settings' | 'name' | 'connection' | 'certificate' | 'proxy';
      readonly message: string;
      readonly proxy: string | null;
    };

const DEADLINE_MS = 10_000;

/**
 * Asks a token endpoint for nothing (`HEAD`), on the way that a rotation would take: name, proxy, certificates. Never
 * rejects, and sends no token.
 */
export async function reachTokenEndpoint(options: ReachOptions): Promise<Reach> {
  const { url, userAgent, env, deadlineMs = DEADLINE_MS } = options;
  const proxy = proxyVariable(url, env);
  try {
    const undici = await loadUndici();
    const ca = await readCertificates(env);
    const agent = makeAgent(undici, env, ca === undefined ? {} : { ca });
    try {
      const response = await undici.request(url, {
        method: 'HEAD',
        headers: { 'user-agent': userAgent },
        dispatcher: agent,
        signal: AbortSignal.timeout(deadlineMs),
      });
      await response.body.dump();
      const { date } = response.headers;
      return { kind: 'reached', status: response.statusCode, serverTimeMs: instantOf(date), proxy };
    } finally {
      agent.destroy().catch(() => undefined);
    }
  } catch (error) {
    return { kind: 'failed', obstacle: obstacleOf(error, proxy), message: explain(error), proxy };
  }
}

function instantOf(date: string | string[] | undefined): number | null {
  const instantMs = typeof date === 'string' ? Date.parse(date) : NaN;
  return Number.isNaN(instantMs) ? null : instantMs;
}

function obstacleOf(
  error: unknown,
  proxy: string | null,
): Extract<Reach, { readonly kind: 'failed' }>['obstacle'] {
  if (error instanceof AuthdError) return 'settings';
  const code = systemErrorCode(error) ?? '';
  if (/CERT|SIGNATURE|^ERR_(TLS|SSL)|^EPROTO/.test(code)) return 'certificate';
  if (proxy !== null) return 'proxy';
  return ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NONAME'].includes(code) ? 'name' : 'connection';
}
