import { createHash } from 'node:crypto';

/**
 * What an account's files in the state directory are called: by its name, and by the path of its auth.json, so that
 * daemons of the same user that keep different homes never write each other's. It is the path as it is configured, not
 * where a link leads: `codex logout` and a new login make a file of a link, and the account is still the same one.
 */
export function stateName(account: string, path: string): string {
  return `${account}-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`;
}
