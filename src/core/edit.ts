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

  const edited = fields.reduce((current, [path, value]) => setField(current, path, value), text);
  assertReadsBack(edited, fields);
  return edited;
}

function setField(text: string, path: JSONPath, value: string): string {
  const edits = modify(text, path, value, { formattingOptions: { insertSpaces: true, tabSize: 2 } });
  return applyEdits(text, edits);
}

/** A document that names a field twice is edited at the first and read at the last: better refused than half changed. */
function assertReadsBack(text: string, fields: readonly (readonly [JSONPath, string])[]): void {
  const document: unknown = JSON.parse(text);
  for (const [path, value] of fields) {
    const found = path.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), document);
    if (found !== value) throw new Error(`auth.json has no single place for ${path.join('.')}`);
  }
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
