import { createHash } from 'node:crypto';

/**
 * What an account's files in the state directory are called: by its name, and by the path of its real auth.json, so that
 * daemons of the same user that keep different homes never write each other's.
 */
export function stateName(account: string, realPath: string): string {
  return `${account}-${createHash('sha256').update(realPath).digest('hex').slice(0, 12)}`;
}
