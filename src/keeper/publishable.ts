import type { PublishedCredential } from '../core/credential.js';
import type { Login } from '../core/login.js';
import { publishedText } from '../core/published-file.js';
import type { KeeperState } from '../core/state.js';

/** What a published file should be at this moment. */
export type Publishable =
  | {
      readonly kind: 'file';
      readonly text: string;
      readonly accountId: string;
      readonly credential: PublishedCredential;
    }
  /** There should be none, and why. */
  | { readonly kind: 'none'; readonly detail: string; readonly hint: string | null };

export interface PublishableFacts {
  readonly login: Login;
  /** The credential that may be given out now. */
  readonly servable: PublishedCredential | null;
  readonly state: KeeperState;
  readonly obtainedAtMs: number;
}

/**
 * A file is there exactly as long as the credential is given out on the socket too. One that has expired is removed: a
 * consumer that finds none knows that it has nothing, and with a stale one it would learn so from the 401 of a server,
 * again and again. What is still valid stays, also when somebody must log in again; a logout ends it at once.
 */
export function publishable({ login, servable, state, obtainedAtMs }: PublishableFacts): Publishable {
  if (login.kind === 'none' || servable === null) return none(state.detail, state.hint);
  if (login.kind !== 'chatgpt') {
    return none('a key that does not expire has no form without a refresh token', 'publish another account');
  }
  const { accountId } = servable;
  const text = publishedText(login, obtainedAtMs);
  if (accountId !== null && text !== null) return { kind: 'file', text, accountId, credential: servable };
  // By its account, a published file is told from one of somebody else.
  const lack = accountId === null ? 'does not name its account' : 'has no id_token that Codex can read';
  return none(`the login ${lack}`, 'run `codex login`');
}

function none(detail: string, hint: string | null): Publishable {
  return { kind: 'none', detail, hint };
}
