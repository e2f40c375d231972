import { AuthdError } from '../errors.js';

/*
 * No message here repeats the URL: one that is wrong may hold a password, or be one.
 */

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * The token endpoint, as it was set: a refresh token must not cross a network in the clear.
 *
 * @throws AuthdError `bad_configuration`
 */
export function checkTokenEndpoint(text: string): string {
  const settings = '`token_endpoint` or CODEX_REFRESH_TOKEN_URL_OVERRIDE';
  const url = readWebAddress('the token endpoint', text);
  if (url?.protocol === 'https:' || (url !== null && LOOPBACK_HOSTS.has(url.hostname))) return text;
  throw new AuthdError('bad_configuration', 'the token endpoint is not an https URL', {
    hint: `set ${settings} to one; http is allowed on this machine only`,
  });
}

/**
 * A base URL, as it was set; every consumer is told it.
 *
 * @throws AuthdError `bad_configuration`
 */
export function checkBaseUrl(setting: string, text: string): string {
  if (readWebAddress(`\`${setting}\``, text) !== null) return text;
  throw new AuthdError('bad_configuration', `\`${setting}\` is not an http or https URL`, {
    hint: 'write it in full, as in https://example.com/v1',
  });
}

/** Null if it is none. Visible ASCII alone: clients take nothing else for a URL. */
function readWebAddress(what: string, text: string): URL | null {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.username === '' && url.password === '') return url;
  throw new AuthdError('bad_configuration', `${what} has a user name or a password in it`, {
    hint: 'take out what stands before the @',
  });
}
