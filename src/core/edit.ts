import { applyEdits, modify, type JSONPath } from 'jsonc-parser';
import { isJwt } from './claims.js';
import type { TokenSet } from './outcome.js';

/**
 * The text of an auth.json with new tokens in it. Only the tokens that the set names and `last_refresh` are
 * written; every other byte stays as it was, so that fields which nobody here knows survive (facts 1.2).
 *
 * An `id_token` that is no JWT is left out, since Codex would refuse the whole file (facts 1.3).
 *
 * @throws Error if the text is not a JSON object with exactly one place for each of these fields
 */
export function withTokens(text: string, tokens: TokenSet, nowMs: number): string {
  const fields: (readonly [path: JSONPath, value: string])[] = [];
  if (tokens.accessToken !== null) fields.push([['tokens', 'access_token'], tokens.accessToken.reveal()]);
  if (tokens.refreshToken !== null) fields.push([['tokens', 'refresh_token'], tokens.refreshToken.reveal()]);
  if (tokens.idToken !== null && isJwt(tokens.idToken.reveal())) {
    fields.push([['tokens', 'id_token'], tokens.idToken.reveal()]);
  }
  fields.push([['last_refresh'], new Date(nowMs).toISOString()]);

  parse(text);
  const edited = fields.reduce((current, [path, value]) => setField(current, path, value), text);
  assertReadsBack(edited, fields);
  return edited;
}

function setField(text: string, path: JSONPath, value: string): string {
  // No formatting options: with them, the whole line that a missing field is added to would be laid out anew.
  return applyEdits(text, modify(text, path, value, {}));
}

/** A document that names a field twice is edited at the first and read at the last: better refused than half changed. */
function assertReadsBack(text: string, fields: readonly (readonly [JSONPath, string])[]): void {
  const document = parse(text);
  for (const [path, value] of fields) {
    const found = path.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), document);
    if (found !== value) throw new Error(`auth.json has no single place for ${path.join('.')}`);
  }
}

/** V8's own message would quote the text, and with it perhaps a token. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('auth.json is not complete JSON');
  }
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
