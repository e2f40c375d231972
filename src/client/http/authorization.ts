import { AuthdError } from '../../errors.js';
import type { CredentialBody } from '../../protocol.js';

/** Where else than under the credential's `base_url` its token may be sent. */
export interface AuthorizationOptions {
  /** More addresses: each means its origin and what lies under its path. None if absent. */
  readonly allow?: readonly (string | URL)[] | undefined;
}

/**
 * The addresses that the caller vouches for.
 *
 * @throws AuthdError `bad_request` if one of them is none
 */
export function readAllowed({ allow = [] }: AuthorizationOptions): readonly URL[] {
  return allow.map((address) => {
    if (URL.canParse(String(address))) return new URL(address);
    throw new AuthdError('bad_request', `\`allow\` names no web address: ${JSON.stringify(address)}`, {
      hint: 'give whole addresses, which begin with https:// or http://',
    });
  });
}

/**
 * Whether a token may be sent to this address: it lies under `base_url`, or under one that the caller vouches for. A
 * bearer token belongs to whoever gets it, so no other host ever does.
 */
export function mayReceive(url: URL, credential: CredentialBody, allowed: readonly URL[]): boolean {
  return liesUnder(url, new URL(credential.base_url)) || allowed.some((prefix) => liesUnder(url, prefix));
}

function liesUnder(url: URL, prefix: URL): boolean {
  if (url.origin !== prefix.origin) return false;
  const directory = prefix.pathname.endsWith('/') ? prefix.pathname : `${prefix.pathname}/`;
  return url.pathname === prefix.pathname || url.pathname.startsWith(directory);
}

/** The headers with which a credential is used, names in lower case (facts 4.1). */
export function authorizationHeaders(credential: CredentialBody): [name: string, value: string][] {
  const headers: [string, string][] = [['authorization', `Bearer ${credential.access_token}`]];
  if (credential.account_id !== null) headers.push(['chatgpt-account-id', credential.account_id]);
  return headers;
}

/** Whether a body can be sent a second time: it is no stream, and nothing else that is used up by being read. */
export function isReplayable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  return body instanceof Blob || body instanceof FormData || body instanceof URLSearchParams;
}
