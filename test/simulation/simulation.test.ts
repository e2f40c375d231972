import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../src/core/plan.js';
import type { CredentialRequest } from '../../src/keeper/snapshot.js';
import { planOf } from './plan.js';
import { PLANTED_FAULTS } from './planted-faults.js';
import { run } from './run.js';
import { kindOf, shrink } from './shrink.js';

const SEEDS = 150;
/** No planted fault may hide for longer. */
const MOST_SEEDS = 20_000;
/** Where the search for those begins that take long to find from the first seed. */
const NEAR: Readonly<Record<string, number>> = {
  'know nothing of Codex’s locks': 160,
  'know only its own state directory': 140,
  'send without asking whether the lease is still its own': 3100,
  'write no spent token down': 580,
};

/** What each planted fault is to be found as: anything else may be found because of something else. */
const FOUND_AS: Readonly<Record<string, RegExp>> = {
  'skip the sync of directories': /sent before the intent was durable/,
  'skip the sync of the new auth.json': /replaced by a file that was not synced/,
  'skip the sync of the journal': /sent before the intent was durable/,
  'send before there is room for the answer': /sent before the intent was durable/,
  'keep the answer in memory only': /before the answer was sealed|a pair was lost/,
  'forget what the journal tells': /sent again that had been spent/,
  'know only its own state directory': /sent again/,
  'clear the journal before the commit': /a journal was removed before|a pair was lost/,
  'commit without the compare': /a field that is not ours was changed|does not follow from/,
  'write in place instead of renaming': /wrote auth\.json in place/,
  'write for everyone to read': /has the mode 644/,
  'drop the fields that nobody knows': /a field that is not ours was changed/,
  'retry an unknown outcome at once': /sent again although nobody knew/,
  'know nothing of Retry-After': /before the server wanted it/,
  'ask a dead token again': /sent again that is dead/,
  'serve after a logout': /not in the file|not been in the file/,
  'make a directory where Codex locks': /a directory was made at .*\/auth\.json\.lock/,
  'know nothing of other daemons': /two rotations at once/,
  'send without asking whether the lease is still its own': /two rotations at once/,
  'know nothing of Codex’s locks': /a field that is not ours was changed|does not follow from/,
  'hold Codex’s locks across the network': /its lock was held for too long/,
  'number anew after every start': /a journal was removed before|two credentials have the generation/,
  'write no spent token down': /a journal was removed before|sent again that had been spent/,
  'drop what waits for a file that is away': /a journal was removed before|a pair was lost/,
  'drop what waits for another account to leave': /a journal was removed before|a pair was lost/,
  'believe a clock that is two hours behind': /given an expired token/,
  'look at the file for the last time before it connects': /not in the file/,
  'take the file for a torn one after every second start': /the state is .* at the end, and should be/,
  'write a refresh token into the log': /a refresh token is in the log/,
  'leave temporary files behind': /temporary files are left/,
};

describe('the simulation', () => {
  it('finds nothing on fixed seeds', async () => {
    const totals = { rotations: 0, crashes: 0, faults: 0, rivalWrites: 0 };
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const report = await run(planOf(seed));
      expect(report.violation, `seed ${String(seed)}`).toBeNull();
      for (const each of ['rotations', 'crashes', 'faults', 'rivalWrites'] as const)
        totals[each] += report[each];
    }
    expect(totals.rotations).toBeGreaterThan(10 * SEEDS);
    expect(totals.crashes).toBeGreaterThan(SEEDS);
    expect(totals.faults).toBeGreaterThan(SEEDS);
    expect(totals.rivalWrites).toBeGreaterThan(SEEDS);
  }, 120_000);

  it('is the same for the same seed, to the last operation', async () => {
    const first = await run(planOf(7), { isTraced: true });
    const second = await run(planOf(7), { isTraced: true });
    expect(first.trace.length).toBeGreaterThan(100);
    expect(second.trace).toEqual(first.trace);
  });

  it('makes a failing seed simple, and tells what happened in it', async () => {
    const tamper = PLANTED_FAULTS['skip the sync of directories'];
    if (tamper === undefined) throw new Error('no such fault');
    const failure = await shrink(0, { tamper }, 10_000);
    expect(failure?.violation).toBe('a refresh token was sent before the intent was durable');
    expect(failure?.plan.happenings).toEqual([]);
    const trace = failure?.trace ?? [];
    const violationAt = trace.findIndex((line) => line.includes('VIOLATION'));
    expect(trace[violationAt]).toContain(failure?.violation);
    expect(trace[violationAt - 1]).toMatch(/daemon-0\.1 .* send .* rt-/);
    expect(trace.join('\n')).not.toContain('sync directory');
  }, 60_000);
});

it('two findings are of one kind where only random names and numbers tell them apart', () => {
  const found = (random: string, ms: string): string =>
    `journals are left for ${ms} ms: default-354940fab624.${random}.2104e5b85aa9.journal`;
  expect(kindOf(found('20bd133c', '17.5'))).toBe(kindOf(found('dd37b1c2', '4')));
  expect(kindOf(found('20bd133c', '4'))).not.toBe(kindOf('a pair was lost'));
});

describe('the simulation finds a daemon that would', () => {
  it('rotate on each report of a consumer', async () => {
    const policy = { ...DEFAULT_POLICY, rejectionIntervalMs: 0 };
    let found: string | null = null;
    for (let seed = 0; found === null && seed < MOST_SEEDS; seed += 1) {
      found = (await run(planOf(seed), { policy })).violation;
    }
    expect(found).toBe('reports of consumers drive the token endpoint');
  }, 60_000);

  it('give out what is valid for less than was asked', async () => {
    let found: string | null = null;
    for (let seed = 0; found === null && seed < MOST_SEEDS; seed += 1) {
      const hear = (request: CredentialRequest): CredentialRequest => ({ ...request, minValidMs: 0 });
      found = (await run(planOf(seed), { hear })).violation;
    }
    expect(found).toMatch(/^daemon-.* gave a token that lives .*, less than was asked$/);
  }, 60_000);

  it('hear one report, and no other', async () => {
    const policy = { ...DEFAULT_POLICY, rejectionIntervalMs: 10 ** 12 };
    let found: string | null = null;
    for (let seed = 0; found === null && seed < MOST_SEEDS; seed += 1) {
      found = (await run(planOf(seed), { policy })).violation;
    }
    expect(found).toMatch(/^a rejected token was not replaced: /);
  }, 60_000);

  it.each(Object.entries(PLANTED_FAULTS))(
    '%s',
    async (name, tamper) => {
      const expected = FOUND_AS[name];
      let isFound = false;
      for (let seed = NEAR[name] ?? 0; !isFound && seed < MOST_SEEDS; seed += 1) {
        const { violation } = await run(planOf(seed), { tamper });
        isFound = violation !== null && expected?.test(violation) === true;
        // What the seed finds without the fault is not found because of it.
        if (isFound && (await run(planOf(seed))).violation === violation) isFound = false;
      }
      expect(isFound).toBe(true);
    },
    60_000,
  );
});
