import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { DaemonProcess } from '../support/daemon-process.js';
import { Household, preloaded, settled } from './household.js';
import { inLanes, killInRotation, lastCall, nameOf, TARGETS, type Target } from './kill.js';
import { demandStrace, Strace, threadsOf } from './strace.js';

/** Of the event loop's calls, those that have to do with the account; the others make a socket and load modules. */
const ROLL_FORWARD = TARGETS.filter(
  ({ thread, name }) =>
    thread === 'files' || ['flock', 'fsync', 'pwrite64', 'rename', 'unlink', 'write'].includes(name),
);

it('killed again at every system call of its recovery, it loses nothing of an answer that was recorded', async () => {
  demandStrace();
  const startedAtMs = performance.now();
  const kills = await inLanes(
    ROLL_FORWARD,
    () => Lane.open(),
    (target, lane) => lane.killAtEach(target),
  );
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
  expect(kills.map(({ place }) => place.replace(/ \(.*/, ''))).toEqual(
    expect.arrayContaining([
      'files rename auth.json',
      'files unlink default.journal',
      'loop flock auth.lock',
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

/** A home with an answer in its journal, brought back as often as there are system calls in the recovery from it. */
class Lane {
  readonly #household: Household;
  readonly #before: string;

  private constructor(household: Household, before: string) {
    this.#household = household;
    this.#before = before;
  }

  static async open(): Promise<Lane> {
    const household = await Household.found();
    const daemon = await household.start();
    const wreck = await killInRotation(household, daemon, { thread: 'files', name: 'rename' }, 1);
    if (wreck === null || (wreck.answer ?? '') === '') throw new Error('this kill should leave an answer');
    const lane = new Lane(household, wreck.before.refresh_token);
    for (const { part, copy } of lane.#parts) await cp(part, copy, { recursive: true });
    return lane;
  }

  get #parts(): { part: string; copy: string }[] {
    const { sandbox, stateDirectory } = this.#household;
    return [sandbox.codexHome, stateDirectory].map((part, index) => ({
      part,
      copy: join(sandbox.directory, `copy-${String(index)}`),
    }));
  }

  async killAtEach(target: Target): Promise<Kill[]> {
    const { endpoint } = this.#household;
    const kills: Kill[] = [];
    for (;;) {
      await this.#restore();
      const place = await killInRecovery(this.#household, target, kills.length + 1);
      if (place === null) return kills;
      const daemon = await this.#household.start();
      const { state } = await settled(daemon);
      const { refresh_token } = await this.#household.login();
      kills.push({
        place,
        isAlive: endpoint.isAlive(refresh_token),
        isNew: refresh_token !== this.#before,
        state,
        requests: endpoint.requests.length,
        leftovers: await this.#household.leftovers(),
      });
      await daemon.stop('SIGKILL');
    }
  }

  async #restore(): Promise<void> {
    for (const { part, copy } of this.#parts) {
      await rm(part, { recursive: true });
      await cp(copy, part, { recursive: true });
    }
  }
}

/** Where the daemon was killed; null if it came through its recovery. */
async function killInRecovery(
  household: Household,
  { thread, name }: Target,
  number: number,
): Promise<string | null> {
  const daemon = await household.spawn({ env: preloaded('stop-at-the-door.mjs') });
  await stopped(daemon);
  const threads = await threadsOf(daemon.pid);
  const strace = await Strace.attach(threads[thread], join(household.sandbox.directory, 'strace.log'), {
    calls: [name],
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
