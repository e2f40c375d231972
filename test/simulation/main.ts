import { parseArgs } from 'node:util';
import { simulate, type Totals } from './campaign.js';
import { shrink } from './shrink.js';

/**
 * Simulates rotations: `--rotations N` (default 100,000) or `--seconds S` of them, on seeds from `--from N` (default 0) on, with
 * `--fresh` on seeds that nobody has seen, with both half on these and half on those. `--seed N` runs that one seed and, if it
 * fails, makes it simple and prints its trace.
 */
const { values } = parseArgs({
  options: {
    rotations: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: 'Infinity' },
    from: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
});

const ROTATIONS_A_LINE = 50_000;

if (values.seed === undefined) {
  const { from, fresh, rotations, seconds } = values;
  const fixed = fresh && from === undefined ? [] : [Number(from ?? 0)];
  const firstSeeds = fresh ? [...fixed, Date.now() % 2 ** 31] : fixed;
  const isTimed = seconds !== 'Infinity';
  process.exitCode = 0;
  for (const firstSeed of firstSeeds) {
    const totals = await simulate({
      firstSeed,
      rotations: isTimed ? Infinity : Number(rotations) / firstSeeds.length,
      seconds: Number(seconds) / firstSeeds.length,
      onRun: reporter(firstSeed),
    });
    print(firstSeed, totals);
    for (const { seed, violation } of totals.violations) {
      console.log(`\nseed ${String(seed)}: ${violation}`);
      await explain(seed);
    }
    if (totals.violations.length > 0 || totals.rotations === 0) process.exitCode = 1;
  }
} else {
  process.exitCode = (await explain(Number(values.seed))) ? 1 : 0;
}

/** A campaign may take most of an hour: now and then it says on standard error how far it is. */
function reporter(firstSeed: number): (rotations: number) => void {
  let told = 0;
  return (rotations) => {
    if (rotations < told + ROTATIONS_A_LINE) return;
    told = rotations;
    console.error(`from seed ${String(firstSeed)}: ${rotations.toLocaleString('en')} rotations`);
  };
}

function print(firstSeed: number, totals: Totals): void {
  const { seconds, runs, violations } = totals;
  const row = (name: string, count: number): string =>
    `${name.padEnd(12)} ${count.toLocaleString('en').padStart(14)} ${Math.round(count / seconds)
      .toLocaleString('en')
      .padStart(10)} a second`;
  console.log(`${runs.toLocaleString('en')} runs from seed ${String(firstSeed)} in ${seconds.toFixed(0)} s`);
  console.log(row('rotations', totals.rotations));
  console.log(row('crashes', totals.crashes));
  console.log(row('faults', totals.faults));
  console.log(row('rival writes', totals.rivalWrites));
  console.log(row('operations', totals.operations));
  console.log(`${String(violations.length)} violations`);
}

/** Whether the seed fails. */
async function explain(seed: number): Promise<boolean> {
  const failure = await shrink(seed);
  if (failure === null) {
    console.log(`seed ${String(seed)}: nothing found`);
    return false;
  }
  const { happenings, ...world } = failure.plan;
  console.log(failure.trace.join('\n'));
  console.log(`\nthe world: ${JSON.stringify(world)}`);
  for (const happening of happenings) console.log(`  ${JSON.stringify(happening)}`);
  console.log(`\n${failure.violation}\nonce more: npm run simulate -- --seed ${String(seed)}`);
  return true;
}
