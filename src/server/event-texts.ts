import type { PublishedCredential } from '../core/credential.js';
import type { KeeperSnapshot } from '../keeper/snapshot.js';
import type { EventBodies } from '../protocol.js';
import { accountStatus, credentialBody } from './bodies.js';

/** The events as text. One event goes to every stream of its account, and its text is made once for all of them. */
export interface EventTexts {
  state(snapshot: KeeperSnapshot): string;
  credential(account: string, credential: PublishedCredential): string;
}

export function createEventTexts(): EventTexts {
  // A text lives as long as what it tells of, and a token no longer than in the keeper itself.
  const states = new WeakMap<KeeperSnapshot, string>();
  const credentials = new WeakMap<PublishedCredential, { readonly account: string; readonly text: string }>();
  return {
    state(snapshot) {
      const text = states.get(snapshot) ?? formatEvent('state', accountStatus(snapshot), null);
      states.set(snapshot, text);
      return text;
    },
    credential(account, credential) {
      const known = credentials.get(credential);
      if (known?.account === account) return known.text;
      const text = formatEvent('credential', credentialBody(account, credential), credential.generation);
      credentials.set(credential, { account, text });
      return text;
    },
  };
}

function formatEvent<Name extends keyof EventBodies>(
  name: Name,
  body: EventBodies[Name],
  id: number | null,
): string {
  const idLine = id === null ? '' : `id: ${String(id)}\n`;
  return `event: ${name}\n${idLine}data: ${JSON.stringify(body)}\n\n`;
}
