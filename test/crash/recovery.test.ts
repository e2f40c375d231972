import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { DaemonProcess } from '../support/daemon-process.js';
import { Household, preloaded, settled } from './household.js';
import { CALLS, killInRotation, lastCall, nameOf, type Thread } from './kill.js';
import { demandStrace, Strace, threadsOf } from './strace.js';

it('killed again at every system call of its recovery, it loses nothing of an answer that was recorded', async () => {
  demandStrace();
  const startedAtMs = performance.now();
  const kills = (await Promise.all([killAtEach('loop'), killAtEach('files')])).flat();
  console.info({
    kills: kills.length,
    lost: kills.filter(({ isAlive }) => !isAlive).map(({ place }) => place),
    seconds: Math.round((performance.now() - startedAtMs) / 1000),
  });
  for (const { place, ...outcome } of kills) {
    expect
      .soft(outcome, place)
      .toEqual({ isAlive: true, isNew: true, state: 'fresh', requests: 1, leftovers: [] });
  }
  expect(kills.map(({ place }) => place)).toEqual(
    expect.arrayContaining([
      ...['files rename auth.json (1)', 'files unlink default.journal (1)', 'loop flock auth.lock (1)'],
    ]),
  );
});

interface Kill {
  readonly place: string;
  /** Whether the refresh token in auth.json would work. */
  readonly isAlive: boolean;
  readonly isNew: boolean;
  readonly state: string;
  readonly requests: number;
  readonly leftovers: readonly string[];
}

/** A wreck with an answer in its journal is brought back as often as there are system calls in the recovery from it. */
async function killAtEach(thread: Thread): Promise<Kill[]> {
  const household = await Household.found();
  const first = await household.start();
  const wreck = await killInRotation(household, first, 'files', 'rename', 1);
  if (wreck?.answer == null || wreck.answer === '') throw new Error('this kill should leave an answer');
  const stored = join(household.sandbox.directory, 'wreck');
  const parts = [household.sandbox.codexHome, household.stateDirectory];
  for (const [index, part] of parts.entries())
    await cp(part, join(stored, String(index)), { recursive: true });

  const kills: Kill[] = [];
  for (const name of CALLS[thread]) {
    for (let number = 1; ; number += 1) {
      for (const [index, part] of parts.entries()) {
        await rm(part, { recursive: true });
        await cp(join(stored, String(index)), part, { recursive: true });
      }
      const place = await killInRecovery(household, thread, name, number);
      if (place === null) break;
      const daemon = await household.start();
      const { state } = await settled(daemon);
      const { refresh_token } = await household.login();
      kills.push({
        place,
        isAlive: household.endpoint.isAlive(refresh_token),
        isNew: refresh_token !== wreck.before.refresh_token,
        state,
        requests: household.endpoint.requests.length,
        leftovers: await household.leftovers(),
      });
      await daemon.stop('SIGKILL');
    }
  }
  return kills;
}

/** Where the daemon was killed; null if it came through its recovery. */
async function killInRecovery(
  household: Household,
  thread: Thread,
  name: string,
  number: number,
): Promise<string | null> {
  const daemon = await household.spawn({ env: preloaded('stop-at-the-door.mjs') });
  await stopped(daemon);
  const threads = await threadsOf(daemon.pid);
  const strace = await Strace.attach(threads[thread], join(household.sandbox.directory, 'strace.log'), {
    calls: CALLS[thread],
    inject: `${name}:signal=KILL:when=${String(number)}`,
  });
  process.kill(daemon.pid, 'SIGCONT');
  const isKilled = await daemon.logged('listening').then(
    () =>
      settled(daemon).then(
        () => false,
        () => true,
      ),
    () => true,
  );
  if (!isKilled) {
    await strace.detach();
    await daemon.stop('SIGKILL');
    return null;
  }
  await daemon.cli.ended;
  return `${thread} ${nameOf(await lastCall(strace, name, number))} (${String(number)})`;
}

/** Resolves when the process has been stopped by a signal. */
async function stopped({ pid }: DaemonProcess): Promise<void> {
  while (!/^State:\tT/m.test(await readFile(`/proc/${String(pid)}/status`, 'utf8')));
}
