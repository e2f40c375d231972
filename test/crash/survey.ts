import { kindOf, nameOf, type CallKind } from './call-kinds.js';
import type { SystemCall } from './strace.js';

/** A thread of the daemon in which it is killed. */
export type Thread = 'loop' | 'files';

/** A system call by its name, in the thread that makes it. */
export interface Target {
  readonly thread: Thread;
  readonly name: string;
}

/** Where to kill. */
export interface Plan extends Target {
  /** Of all calls of this name the gravest. */
  readonly kind: CallKind;
  /** Which of the calls of this name, to begin with; all of them, until the daemon comes through, where null. */
  readonly numbers: readonly number[] | null;
  /** What is to have been killed at in the end, with the number that it had in the trace. */
  readonly places: ReadonlyMap<string, number>;
}

/** What all threads did from rest to rest. */
export interface Trace {
  readonly threads: Readonly<Record<Thread, number>>;
  readonly calls: readonly SystemCall[];
}

/** Of the calls without a place and an end, so many, evenly. */
const SAMPLES = 8;

/**
 * All system calls of the two threads that touch the world. An act is killed at each time that it occurs. A question is
 * so where `isThorough`, else once in each place: it is asked some hundred times, and changes nothing. Of the waits some
 * are taken. What occurs in some of the traces only, the renewal of the lease or a tick, is no place that must be met.
 */
export function plansFrom(traces: readonly Trace[], { isThorough = false } = {}): Plan[] {
  const all = traces.map(callsByTarget);
  const keys = [...new Set(all.flatMap((each) => [...each.keys()]))].sort();
  return keys.map((key) => {
    const runs = all.map((each) => each.get(key) ?? []);
    const [thread, name] = key.split(' ') as [Thread, string];
    const kinds = runs.flat().map(kindOf);
    const maps = runs.map((run) => placesOf(thread, run));
    const places = new Map(
      [...(maps.at(-1) ?? [])].filter(([place]) => maps.every((each) => each.has(place))),
    );
    const kind = kinds.includes('acts') ? 'acts' : kinds.includes('asks') ? 'asks' : 'waits';
    const count = Math.min(...runs.map(({ length }) => length));
    if (kind === 'waits') return { thread, name, kind, numbers: spread(count), places: new Map() };
    const numbers = kind === 'acts' || isThorough ? null : [];
    return { thread, name, kind, numbers, places };
  });
}

/** What the other threads did, V8's, that is more than to wait, to wake each other and to tidy up memory. */
export function strangeCalls({ threads, calls }: Trace): string[] {
  const others = calls.filter(({ thread }) => thread !== threads.loop && thread !== threads.files);
  return others
    .filter((call) => kindOf(call) !== 'waits' && nameOf(call) !== 'read eventfd')
    .map(({ line }) => line);
}

function callsByTarget({ threads, calls }: Trace): Map<string, SystemCall[]> {
  const byTarget = new Map<string, SystemCall[]>();
  for (const call of calls) {
    const thread = call.thread === threads.loop ? 'loop' : 'files';
    if (call.thread !== threads[thread]) continue;
    const key = `${thread} ${call.name}`;
    byTarget.set(key, [...(byTarget.get(key) ?? []), call]);
  }
  return byTarget;
}

/** The places of these calls, with the number of the first in each. */
function placesOf(thread: Thread, calls: readonly SystemCall[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const [index, call] of calls.entries()) {
    const place = `${thread} ${nameOf(call)}`;
    if (kindOf(call) !== 'waits' && !places.has(place)) places.set(place, index + 1);
  }
  return places;
}

function spread(count: number): number[] {
  const samples = Math.min(count, SAMPLES);
  return Array.from({ length: samples }, (_, index) => 1 + Math.floor((index * count) / samples));
}

/** How far a call may have moved: the watcher's looks are not always as many. */
const SHIFTS = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6];

/** What must be found is sought so often: on a busy machine the watcher and the publishing meet in many orders. */
const ROUNDS = 5;

/** Kills where the plan says so. `kill` makes null of a call that does not occur. */
export async function carryOut<Kill extends { readonly place: string }>(
  { kind, numbers, places }: Plan,
  kill: (number: number) => Promise<Kill | null>,
): Promise<Kill[]> {
  const kills: Kill[] = [];
  const killAt = async (number: number): Promise<boolean> => {
    const killed = await kill(number);
    if (killed !== null) kills.push(killed);
    return killed !== null;
  };
  if (numbers === null) for (let number = 1; await killAt(number); number += 1);
  else for (const number of numbers) await killAt(number);
  const shifts = Array.from({ length: kind === 'acts' ? ROUNDS : 1 }, () => SHIFTS).flat();
  for (const [place, number] of places) {
    for (const shift of shifts) {
      if (kills.some((each) => each.place === place)) break;
      if (number + shift > 0) await killAt(number + shift);
    }
  }
  return kills;
}

/**
 * What these plans are about and nothing was killed at: each place of an act. Of questions each name, for the watcher
 * asks in whichever order it likes. Of waits nothing: whether one occurs at all is up to the scheduler and the allocator.
 */
export function missed(plans: readonly Plan[], kills: readonly { readonly place: string }[]): string[] {
  const places = new Set(kills.map(({ place }) => place));
  const targets = new Set(kills.map(({ place }) => place.split(' ').slice(0, 2).join(' ')));
  return plans.flatMap(({ thread, name, kind, numbers, places: wanted }) => {
    if (kind === 'acts') return [...wanted.keys()].filter((place) => !places.has(place));
    // It was not in each of the traces.
    const isRare = numbers?.length === 0 && wanted.size === 0;
    const target = `${thread} ${name}`;
    return kind === 'waits' || isRare || targets.has(target) ? [] : [target];
  });
}
