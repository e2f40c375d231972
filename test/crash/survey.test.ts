import { describe, expect, it } from 'vitest';
import type { SystemCall } from './strace.js';
import { carryOut, missed, plansFrom, type Plan, type Trace } from './survey.js';

const LOOP = 1;
const FILES = 2;

/** What two threads did: an act, a question, and something that the allocator did in one of them. */
const TRACE = traceOf([
  [LOOP, 'pwrite64', 'pwrite64(20</state/default.journal>, "{", 1, 0) = 1'],
  [FILES, 'statx', 'statx(AT_FDCWD, "/home/auth.json", 0) = 0'],
  [FILES, 'munmap', 'munmap(0x7f0000000000, 4096) = 0'],
]);

describe('a campaign that killed nothing at', () => {
  it.each([
    { what: 'an act', name: 'pwrite64', left: ['loop pwrite64 default.journal'] },
    { what: 'a question', name: 'statx', left: ['files statx'] },
    // Whether it occurs is up to the allocator, and a kill there is one between the two calls around it.
    { what: 'what is memory only', name: 'munmap', left: [] },
  ])('$what says so where it matters', async ({ name, left }) => {
    const plans = plansFrom([TRACE, TRACE, TRACE]);
    const kills = await Promise.all(plans.map((plan) => carryOut(plan, killing(plan, name))));
    expect(missed(plans, kills.flat())).toEqual(left);
  });
});

/** Kills at the first call of each name but one, which does not occur again. */
function killing({ thread, name }: Plan, absent: string) {
  const call = TRACE.calls.find((each) => each.name === name);
  const file = /\/([^/">]*)[">]/.exec(call?.line ?? '')?.[1];
  const place = [thread, name, ...(file === undefined ? [] : [file])].join(' ');
  return (number: number): Promise<{ place: string } | null> =>
    Promise.resolve(name === absent || number > 1 ? null : { place });
}

function traceOf(calls: readonly (readonly [number, string, string])[]): Trace {
  const made: SystemCall[] = calls.map(([thread, name, line]) => ({ thread, name, line }));
  return { threads: { loop: LOOP, files: FILES }, calls: made };
}
