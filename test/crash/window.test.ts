import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isWake } from './call-kinds.js';
import { Household, preloaded, refresh, rotateOnce, settled } from './household.js';
import { killInRotation } from './kill.js';
import { rested } from './rest.js';
import { demandStrace, Strace, threadsOf, type SystemCall } from './strace.js';

const ROTATIONS = 30;
/** Of a rotation, by the medians of both: a third of that where a sync costs nothing, less where it costs. */
const LARGEST_SHARE = 1 / 30;

/** V8 tidies up its memory and wakes its own threads when it likes. */
const HOUSEKEEPING = ['brk', 'futex', 'madvise', 'mmap', 'mprotect', 'munmap'];

it('between the arrival of an answer and the end of its record there is no system call but the record', async () => {
  demandStrace();
  const household = await Household.found();
  const daemon = await household.start();
  await rotateOnce(daemon);
  const { loop } = await threadsOf(daemon.pid);
  const strace = await Strace.attach(loop, household.straceLog);
  for (let count = 0; count < ROTATIONS; count += 1) await rotateOnce(daemon);
  await strace.detach();

  const traced = await strace.calls();
  const calls = traced.filter((call) => !HOUSEKEEPING.includes(call.name) && !isWake(call));
  const windows = calls.flatMap((call, end) => (isRecord(call) ? [windowOf(calls.slice(0, end + 1))] : []));
  console.info({ rotations: windows.length, systemCalls: Math.max(...windows.map(({ length }) => length)) });
  expect(windows).toHaveLength(ROTATIONS);
  for (const window of windows) {
    // The read itself is one of them.
    expect(window.length, window.map(({ line }) => line).join('\n')).toBeLessThanOrEqual(2);
  }
});

it('is a thirtieth of a rotation at most', async () => {
  const household = await Household.found();
  const report = join(household.sandbox.directory, 'window');
  const daemon = await household.start({
    env: { ...preloaded('time-the-window.mjs'), WINDOW_REPORT: report },
  });
  const rotations: number[] = [];
  for (let count = 0; count < ROTATIONS; count += 1) {
    await rested(daemon);
    const askedAtMs = performance.now();
    await refresh(daemon);
    rotations.push((performance.now() - askedAtMs) * 1000);
  }
  const windows = (await readFile(report, 'utf8')).trim().split('\n').map(Number);
  expect(windows).toHaveLength(ROTATIONS);
  // The first one also compiles the parser of the answer.
  const windowMicroseconds = medianOf(windows.slice(1));
  const rotationMicroseconds = medianOf(rotations.slice(1));
  const longestMicroseconds = Math.max(...windows.slice(1));
  console.info({ windowMicroseconds, longestMicroseconds, rotationMicroseconds });
  expect(windowMicroseconds).toBeLessThan(rotationMicroseconds * LARGEST_SHARE);
});

it('killed in there, it serves what it has, asks nobody, and says that it does not know', async () => {
  demandStrace();
  const household = await Household.found();
  const { endpoint } = household;
  const wreck = await killInRotation(
    household,
    await household.start(),
    { thread: 'loop', name: 'pwrite64' },
    1,
  );
  // The write at which it was killed has not been made.
  expect(wreck).toMatchObject({ isSent: true, answer: '' });
  const { access_token, refresh_token } = await household.login();
  expect(endpoint.isAlive(refresh_token)).toBe(false);

  const daemon = await household.start();
  expect(await settled(daemon)).toMatchObject({
    state: 'degraded',
    reason: 'outcome_unknown',
    serving: true,
  });
  expect((await daemon.ask('/v1/token')).text.trim()).toBe(access_token);
  expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 503 });
  expect(endpoint.requests).toHaveLength(1);

  const login = await household.logIn();
  while ((await daemon.account()).state !== 'fresh');
  expect((await daemon.ask('/v1/token')).text.trim()).toBe(login.access_token);
  await rotateOnce(daemon);
  expect(endpoint.sentTwice()).toEqual([]);
});

function medianOf(durations: readonly number[]): number {
  return durations.toSorted((a, b) => a - b)[Math.floor(durations.length / 2)] ?? NaN;
}

/** The write into the journal's room for the answer; its intent is written by another thread. */
function isRecord({ name, line }: SystemCall): boolean {
  return name === 'pwrite64' && line.includes('.journal>') && line.includes('access_token');
}

/** From the read that brought the last of the answer on: it may have come in several pieces. */
function windowOf(calls: readonly SystemCall[]): readonly SystemCall[] {
  const head = calls.findLast(({ name, line }) => name === 'read' && line.includes('"HTTP/1.1 '));
  const connection = head?.line.split(',')[0] ?? 'the answer has not come';
  return calls.slice(calls.findLastIndex(({ line }) => line.startsWith(connection)));
}
