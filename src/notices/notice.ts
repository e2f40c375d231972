import type { PublishedCredential } from '../core/credential.js';
import type { KeeperSnapshot } from '../keeper/snapshot.js';
import type { AccountStatus, CredentialBody } from '../protocol.js';
import { accountStatus, credentialBody } from '../server/bodies.js';

/** What the command of `on_event` reads on stdin: one JSON object. */
export type Notice =
  | (NoticeHead<'state'> & AccountStatus)
  /** Once for each incident. */
  | (NoticeHead<'login_required'> & AccountStatus)
  /** The access token is in it only if the configuration asks for it. */
  | (NoticeHead<'credential'> & Omit<CredentialBody, 'access_token'> & { readonly access_token?: string });

interface NoticeHead<Event extends string> {
  readonly schema: 1;
  readonly event: Event;
  /** RFC 3339. */
  readonly at: string;
}

export function stateNotice(
  event: 'state' | 'login_required',
  snapshot: KeeperSnapshot,
  nowMs: number,
): Notice {
  return { schema: 1, event, at: new Date(nowMs).toISOString(), ...accountStatus(snapshot) };
}

export function credentialNotice(
  account: string,
  credential: PublishedCredential,
  withToken: boolean,
  nowMs: number,
): Notice {
  const { access_token: token, ...rest } = credentialBody(account, credential);
  const head = { schema: 1, event: 'credential', at: new Date(nowMs).toISOString() } as const;
  return withToken ? { ...head, ...rest, access_token: token } : { ...head, ...rest };
}
