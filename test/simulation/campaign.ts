import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Report } from './run.js';

/** How many runs, and when to stop: whatever comes first. */
export interface Campaign {
  readonly firstSeed: number;
  readonly rotations: number;
  readonly seconds: number;
  /** Is told after every run how many rotations there were by then. */
  readonly onRun?: (rotations: number) => void;
}

export interface Totals {
  readonly runs: number;
  readonly rotations: number;
  readonly operations: number;
  readonly crashes: number;
  readonly faults: number;
  readonly rivalWrites: number;
  readonly seconds: number;
  /** The seeds that failed, and what was found. */
  readonly violations: readonly { readonly seed: number; readonly violation: string }[];
}

/** What a worker tells of one run. */
export interface Run {
  readonly seed: number;
  readonly report: Omit<Report, 'trace'>;
}

/** Runs one seed after the other on every core until enough has been simulated, or something is found. */
export async function simulate({ firstSeed, rotations, seconds, onRun }: Campaign): Promise<Totals> {
  const startedMs = performance.now();
  const totals = { runs: 0, rotations: 0, operations: 0, crashes: 0, faults: 0, rivalWrites: 0 };
  const violations: { seed: number; violation: string }[] = [];
  const elapsedSeconds = (): number => (performance.now() - startedMs) / 1000;
  const step = availableParallelism();
  const workers = Array.from({ length: step }, (_, index) => {
    const workerData = { firstSeed: firstSeed + index, step };
    return new Worker(new URL('worker.js', import.meta.url), { workerData });
  });
  await Promise.all(
    workers.map(async (worker) => {
      worker.on('message', ({ seed, report }: Run) => {
        totals.runs += 1;
        totals.rotations += report.rotations;
        totals.operations += report.operations;
        totals.crashes += report.crashes;
        totals.faults += report.faults;
        totals.rivalWrites += report.rivalWrites;
        onRun?.(totals.rotations);
        if (report.violation !== null) violations.push({ seed, violation: report.violation });
        const isOver = totals.rotations >= rotations || elapsedSeconds() >= seconds;
        if (isOver || violations.length > 0) for (const each of workers) each.postMessage('stop');
      });
      await once(worker, 'exit');
    }),
  );
  return { ...totals, violations, seconds: elapsedSeconds() };
}
