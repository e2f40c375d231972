import { fingerprintOf, signJwt } from '../support/tokens.js';
import { HOUR, loginText, SECOND, type World } from './world.js';

export const SPENT = fingerprintOf('refresh-1');

/** Leaves what a daemon left that was killed with this answer in its journal. */
export function leave(world: World, answer: object, startedAtMs = world.clock.now()): void {
  world.journal.left.set(SPENT, JSON.stringify(answer));
  world.journal.startedAtMs.set(SPENT, startedAtMs);
}

/** An access token that says whose it is. */
export function jwtOf(world: World, accountId: string, lifetimeMs = HOUR): string {
  const iat = world.clock.now() / 1000;
  const auth = { chatgpt_account_id: accountId };
  return signJwt({ iat, exp: iat + lifetimeMs / SECOND, 'https://api.openai.com/auth': auth });
}

/** An auth.json of an account. */
export function ofAccount(world: World, accountId: string, refreshToken: string, lifetimeMs = HOUR): string {
  const text = loginText(jwtOf(world, accountId, lifetimeMs), refreshToken, world.clock.now());
  return text.replace('"account_id": "a"', `"account_id": "${accountId}"`);
}
