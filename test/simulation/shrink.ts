import fc from 'fast-check';
import { planOf, plans, type Plan } from './plan.js';
import { run, type RunOptions } from './run.js';

export interface Failure {
  /** The simplest plan that was found to fail. */
  readonly plan: Plan;
  readonly violation: string;
  readonly trace: readonly string[];
}

/** Makes the plan of a failing seed as simple as possible; null if the seed does not fail. */
export async function shrink(
  seed: number,
  options: RunOptions = {},
  patienceMs = 60_000,
): Promise<Failure | null> {
  const { violation: sought } = await run(planOf(seed), options);
  if (sought === null) return null;
  const property = fc.asyncProperty(
    plans,
    async (plan) => kindOf((await run(plan, options)).violation) !== kindOf(sought),
  );
  const details = await fc.check(property, {
    seed,
    numRuns: 1,
    interruptAfterTimeLimit: patienceMs,
    markInterruptAsFailure: false,
  });
  const [plan] = details.counterexample ?? [];
  if (plan === undefined) return null;
  const { violation, trace } = await run(plan, { ...options, isTraced: true });
  return { plan, violation: violation ?? 'not found again', trace };
}

/** The same for violations that differ in their numbers, fingerprints and random names only. */
export function kindOf(violation: string | null): string | null {
  return violation?.replaceAll(/\b[0-9a-f]{8,12}\b|\d+(?:\.\d+)?/g, 'N') ?? null;
}
