import type { Dispatcher } from 'undici';
import { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import type { Undici } from './undici.js';

interface TlsSettings {
  readonly ca?: string[];
}

const CONNECT_TIMEOUT_MS = 10_000;
const LARGEST_ANSWER_BYTES = 1024 * 1024;

/**
 * Connects as the environment says: through its proxy, with these roots.
 *
 * @throws AuthdError `bad_configuration` if the proxy that the environment names is none
 */
export function makeAgent({ EnvHttpProxyAgent }: Undici, env: Environment, tls: TlsSettings): Dispatcher {
  try {
    return new EnvHttpProxyAgent({
      ...proxySettings(env),
      connect: { timeout: CONNECT_TIMEOUT_MS, ...tls },
      requestTls: tls,
      proxyTls: tls,
      maxResponseSize: LARGEST_ANSWER_BYTES,
    });
  } catch {
    throw new AuthdError('bad_configuration', 'HTTPS_PROXY names no proxy that can be used', {
      hint: 'set HTTPS_PROXY to an http:// or https:// URL, or unset it',
    });
  }
}

/**
 * The proxy variables as everybody writes them; lower case wins, as in curl. An empty one means none. HTTP without
 * TLS is for this machine only (see the settings), and has no business at a proxy.
 */
function proxySettings(env: Environment): { httpProxy: string; httpsProxy: string; noProxy: string } {
  return {
    httpProxy: '',
    httpsProxy: env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '',
    noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
  };
}

/** The variable that names the proxy for a URL; null if none does. What `NO_PROXY` excepts is not looked into. */
export function proxyVariable(url: string, env: Environment): string | null {
  if (!url.startsWith('https:')) return null;
  const name = env['https_proxy'] === undefined ? 'HTTPS_PROXY' : 'https_proxy';
  return (env[name] ?? '') === '' ? null : name;
}
