import { decodeJwt } from 'jose/jwt/decode';
import type { Random } from '../../simulation/world/random.js';
import type { LoginTokens } from '../../support/login-file.js';
import { editAs, logInAs, logOutForAWhileAs, rotateAs, tokensIn } from '../../support/rivals/acts.js';
import type { Rival } from '../../support/rivals/rival.js';
import { textOf } from '../../support/rivals/text-of.js';
import { nap } from './nap.js';

/** Between two acts of one rival. */
const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 3_500;
const AWAY_MS = 1_000;

export interface RivalLifeOptions {
  readonly path: string;
  readonly tokenEndpoint: string;
  /** Of the access tokens. */
  readonly lifetimeSeconds: number;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** A new login, of one of a few accounts. */
  readonly login: () => LoginTokens;
  /** Told of each act and what came of it. */
  readonly onAct: (name: string) => void;
}

/** What a rival does all day; the seed of its random numbers says what, and when. */
export async function liveAs(rival: Rival, options: RivalLifeOptions): Promise<void> {
  const { random, signal, onAct } = options;
  for (;;) {
    const pauseMs = SHORTEST_PAUSE_MS + random.below(LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS);
    const lot = random.next();
    if (!(await nap(pauseMs, signal))) return;
    onAct(`${rival.version} ${await act(rival, lot, options)}`);
  }
}

async function act(rival: Rival, lot: number, options: RivalLifeOptions): Promise<string> {
  const { path, tokenEndpoint, random, login } = options;
  if (lot < 0.92) {
    await editAs(rival, path, 'future', random.below(1000));
    return 'edited';
  }
  if (lot < 0.98) {
    if (lot > 0.94) await untilDue(options);
    return `rotated: ${(await rotateAs(rival, path, tokenEndpoint)).kind}`;
  }
  if (lot < 0.99) {
    await logInAs(rival, path, login());
    return 'logged in';
  }
  await logOutForAWhileAs(rival, path, AWAY_MS, login);
  return 'logged out and in again';
}

/** The second in which the daemon rotates too: half of a short life is over, and the jitter is a tenth of that. */
async function untilDue({ path, random, signal, lifetimeSeconds }: RivalLifeOptions): Promise<void> {
  const tokens = tokensIn(await textOf(path));
  const { iat } = tokens === null ? {} : decodeJwt(tokens.access_token);
  if (iat === undefined) return;
  const dueAtMs = (iat + lifetimeSeconds / 2) * 1000 + random.below(lifetimeSeconds * 50);
  await nap(Math.max(dueAtMs - Date.now(), 0), signal);
}
