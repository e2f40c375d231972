import { idTokenOf, type AccessGrant } from './server.js';

/** What an auth.json says, as far as its writers care. */
export interface AuthDocument {
  readonly auth_mode: string;
  readonly OPENAI_API_KEY: string | null;
  readonly tokens?: TokenFields;
  readonly last_refresh?: string;
  readonly [unknown: string]: unknown;
}

export interface TokenFields {
  readonly id_token: string;
  readonly access_token: string;
  readonly refresh_token: string;
  readonly account_id: string;
}

/** The text of an auth.json as Codex writes it (facts 1.1). */
export function textOf(document: AuthDocument): string {
  return JSON.stringify(document, null, 2);
}

/** Null for what is torn or empty. */
export function parseDocument(text: string | null): AuthDocument | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? (value as AuthDocument) : null;
  } catch {
    return null;
  }
}

/** A fresh login. `note` is a field that nobody knows, and that everybody must keep. */
export function loginDocument(grant: AccessGrant, note: number, nowMs: number): AuthDocument {
  return {
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: tokensOf(grant),
    last_refresh: new Date(nowMs).toISOString(),
    note,
  };
}

export function keyDocument(note: number): AuthDocument {
  return { auth_mode: 'apikey', OPENAI_API_KEY: `sk-${String(note)}`, note };
}

export function tokensOf({ token, refreshToken, family }: AccessGrant): TokenFields {
  return {
    id_token: idTokenOf(family.account),
    access_token: token,
    refresh_token: refreshToken,
    account_id: family.account,
  };
}
