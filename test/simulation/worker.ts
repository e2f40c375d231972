import { parentPort, workerData } from 'node:worker_threads';
import type { Run } from './campaign.js';
import { planOf } from './plan.js';
import { run } from './run.js';

/** Runs every so-manieth seed and tells of each, until it is told to stop. */
const { firstSeed, step } = workerData as { readonly firstSeed: number; readonly step: number };

// Most errors here are planted, and nobody reads where they come from.
Error.stackTraceLimit = 0;

const stopping = new AbortController();
parentPort?.once('message', () => {
  stopping.abort();
});
for (let seed = firstSeed; !stopping.signal.aborted; seed += step) {
  const { trace: _, ...report } = await run(planOf(seed));
  parentPort?.postMessage({ seed, report } satisfies Run);
}
