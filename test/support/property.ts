import fc from 'fast-check';

/** Always the same runs, so that a red test is red for everyone. Other and more runs: PROPERTY_SEED, PROPERTY_RUNS. */
const seed = Number(process.env['PROPERTY_SEED'] ?? 20_261_122);
const numRuns = Number(process.env['PROPERTY_RUNS'] ?? 300);

/** Checks that a predicate holds, by not throwing, for whatever these arbitraries give. */
export function holdsForAll<Values extends [unknown, ...unknown[]]>(
  ...args: [
    ...arbitraries: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
    predicate: (...values: Values) => void,
  ]
): void {
  fc.assert(fc.property(...args), { seed, numRuns });
}
