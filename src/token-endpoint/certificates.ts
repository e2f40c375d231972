import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { AuthdError, describeError } from '../errors.js';
import type { Environment } from '../os/paths.js';

/** The variables that name a PEM bundle of further roots, in Codex's order. */
const VARIABLES = ['CODEX_CA_CERTIFICATE', 'SSL_CERT_FILE'];

/**
 * The roots to trust beside Node's own; undefined where the environment names none.
 *
 * @throws AuthdError `bad_configuration` if the named file cannot be read or holds no certificate
 */
export async function readCertificates(env: Environment): Promise<string[] | undefined> {
  const variable = VARIABLES.find((name) => (env[name] ?? '') !== '');
  if (variable === undefined) return undefined;
  const path = env[variable] ?? '';
  const hint = `make ${variable} name a PEM file with certificates, or unset it`;
  let bundle: string;
  try {
    bundle = await readFile(path, 'utf8');
  } catch (error) {
    throw new AuthdError('bad_configuration', `${variable} cannot be read: ${describeError(error)}`, {
      hint,
      cause: error,
    });
  }
  if (!bundle.includes('-----BEGIN ')) {
    throw new AuthdError('bad_configuration', `${variable}: ${path} holds no certificate`, { hint });
  }
  return [...rootCertificates, bundle];
}
