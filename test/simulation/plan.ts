import fc from 'fast-check';
import type { CodexVersion } from './world/codex.js';
import type { Mishap } from './world/network.js';
import type { Deed, Reporting } from './world/people.js';
import type { DiskTrouble } from './world/world.js';

/** A run is determined by its plan: what the world is like, and what happens to it when. */
export interface Plan {
  /** Decides all that the plan leaves open: latencies, the order of things, what a loss of power leaves. */
  readonly salt: number;
  readonly lifetimeMs: number;
  readonly isRotating: boolean;
  readonly isLinked: boolean;
  readonly daemons: 1 | 2;
  /** Whether each daemon runs on a machine of its own: they share the files, and no kernel. */
  readonly isRemote: boolean;
  /** Whether each daemon has a state directory of its own. */
  readonly isApart: boolean;
  readonly watch: 'keen' | 'lossy' | 'deaf';
  readonly delayChance: number;
  readonly happenings: readonly Happening[];
}

/** Something that happens after so many operations of the daemons, or after a part of a token's life. */
export interface Happening {
  readonly after: { readonly operations: number } | { readonly lives: number };
  readonly what: What;
}

export type What =
  | { readonly kind: 'kill'; readonly daemon: number }
  | { readonly kind: 'terminate'; readonly daemon: number }
  | { readonly kind: 'power loss' }
  | { readonly kind: 'stop'; readonly daemon: number; readonly durationMs: number }
  | { readonly kind: 'sleep'; readonly lives: number }
  /** Somebody sets the clock of the machine, by so much ahead of true time. */
  | { readonly kind: 'clock'; readonly aheadHours: number }
  | ({ readonly kind: 'disk' } & Readonly<DiskTrouble>)
  | { readonly kind: 'network'; readonly mishap: Mishap; readonly times: number }
  | { readonly kind: 'codex'; readonly version: CodexVersion; readonly deed: Deed }
  | { readonly kind: 'revoke'; readonly what: 'login' | 'access token' }
  | {
      readonly kind: 'ask';
      readonly daemon: number;
      readonly lives: number;
      readonly waitMs: number;
      readonly leaves: boolean;
    }
  | { readonly kind: 'refresh'; readonly daemon: number }
  | ({ readonly kind: 'report'; readonly daemon: number } & Reporting);

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const daemon = fc.nat(1);
const hundredths = (most: number): fc.Arbitrary<number> => fc.nat(most).map((n) => n / 100);
const mishap: fc.Arbitrary<Mishap> = fc.oneof(
  fc.constantFrom('ECONNREFUSED', 'ENOTFOUND').map((code) => ({ kind: 'no way' as const, code })),
  fc.constantFrom('request lost', 'answer lost', 'answer torn', 'late', 'garbled').map((kind) => ({ kind })),
  fc.record({
    kind: fc.constant('gateway'),
    status: fc.constantFrom(500, 502, 504),
    carriedOut: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('refused'),
    status: fc.constantFrom(403, 429, 500, 503),
    code: fc.constant('slow_down'),
    retryAfter: fc.constantFrom(null, '7', '120'),
  }),
);

const what: fc.Arbitrary<What> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('kill'), daemon }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('terminate'), daemon }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'power loss' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('stop'),
      daemon,
      durationMs: fc.integer({ min: SECOND, max: 5 * MINUTE }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('sleep'), lives: hundredths(300) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('clock'),
      aheadHours: fc.constantFrom(0, -26, -5, -1, 1, 5, 26),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('disk'),
      code: fc.constantFrom('ENOSPC', 'EROFS', 'EIO', 'EACCES'),
      place: fc.constantFrom('home', 'state', 'both'),
      operations: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('network'), mishap, times: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('codex'),
      version: fc.constantFrom('0.163', '0.166', '0.169'),
      deed: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom('exec', 'edit') },
        { weight: 3, arbitrary: fc.constantFrom('log in', 'log in as another', 'log out') },
        { weight: 1, arbitrary: fc.constantFrom('refresh', 'write late', 'set a key') },
        { weight: 2, arbitrary: fc.constantFrom('take away', 'switch account', 'turn link') },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('revoke'), what: fc.constantFrom('login', 'access token') }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ask'),
      daemon,
      lives: hundredths(120),
      waitMs: fc.integer({ min: 0, max: 30 * SECOND }),
      leaves: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('refresh'), daemon }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('report'),
      daemon,
      isTrue: fc.boolean(),
      consumers: fc.integer({ min: 1, max: 5 }),
      times: fc.integer({ min: 1, max: 12 }),
      pauseMs: fc.integer({ min: 0, max: 20 * SECOND }),
      waitMs: fc.integer({ min: 0, max: 30 * SECOND }),
    }),
  },
);

const happening: fc.Arbitrary<Happening> = fc.record({
  after: fc.oneof(
    { weight: 5, arbitrary: fc.record({ operations: fc.nat(120) }) },
    { weight: 1, arbitrary: fc.record({ lives: hundredths(300) }) },
  ),
  what,
});

/** Who has not got the lock asks for it every few minutes: over months that is all a run would do. */
const LONGEST_LIFE_OF_TWO_MS = 10 * DAY;

/** All plans. Small ones are found first when one is made simpler. */
export const plans: fc.Arbitrary<Plan> = fc.noBias(
  fc
    .record<Plan>({
      salt: fc.nat(),
      lifetimeMs: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(HOUR, 8 * HOUR) },
        { weight: 3, arbitrary: fc.constantFrom(40 * SECOND, 5 * MINUTE) },
        { weight: 1, arbitrary: fc.constantFrom(10 * DAY, 60 * DAY) },
      ),
      isRotating: fc.nat(9).map((n) => n > 0),
      isLinked: fc.nat(3).map((n) => n === 0),
      daemons: fc.constantFrom(1, 1, 2),
      isRemote: fc.nat(2).map((n) => n === 0),
      isApart: fc.nat(3).map((n) => n === 0),
      watch: fc.constantFrom('keen', 'keen', 'lossy', 'deaf'),
      delayChance: fc.constantFrom(0, 0.05, 0.3),
      happenings: fc.array(happening, { minLength: 0, maxLength: 60, size: 'max' }),
    })
    .map((plan) => ({ ...plan, daemons: plan.lifetimeMs > LONGEST_LIFE_OF_TWO_MS ? 1 : plan.daemons })),
);

/** The plan of a seed: always the same one. */
export function planOf(seed: number): Plan {
  const [plan] = fc.sample(plans, { seed, numRuns: 1 });
  if (plan === undefined) throw new Error('no plan');
  return plan;
}
