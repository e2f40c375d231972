import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { DaemonProcess } from '../support/daemon-process.js';
import { nameOf } from './call-kinds.js';
import { Household, preloaded, settled } from './household.js';
import { killIn, killInRotation, traceOf } from './kill.js';
import { inLanes } from './lanes.js';
import { rested } from './rest.js';
import { demandStrace } from './strace.js';
import { carryOut, missed, plansFrom, type Plan, type Trace } from './survey.js';

/** Of the event loop's calls, those that have to do with the account; the others make a socket and load modules. */
const LOOP_CALLS = ['flock', 'fsync', 'pwrite64', 'rename', 'unlink', 'write'];

it('killed again at every system call of its recovery, it loses nothing of an answer that was recorded', async () => {
  demandStrace();
  const startedAtMs = performance.now();
  const plans = plansFrom(await (await Lane.open()).traces()).filter(
    ({ thread, name }) => thread === 'files' || LOOP_CALLS.includes(name),
  );
  const kills = await inLanes(
    plans,
    () => Lane.open(),
    (plan, lane) => lane.killAtEach(plan),
  );
  console.info({
    kills: kills.length,
    places: new Set(kills.map(({ place }) => place)).size,
    lost: kills.filter(({ isAlive }) => !isAlive).map(({ place }) => place),
    seconds: Math.round((performance.now() - startedAtMs) / 1000),
  });
  for (const { place, number, ...outcome } of kills) {
    expect
      .soft(outcome, `${place} (${String(number)})`)
      .toEqual({ isAlive: true, isNew: true, state: 'fresh', requests: 1, leftovers: [] });
  }
  expect(missed(plans, kills)).toEqual([]);
  expect(kills.map(({ place }) => place)).toEqual(
    expect.arrayContaining([
      'files rename .codex/auth.json',
      'files unlink default.journal',
      'files unlink token.sending',
      'loop flock auth.lock',
    ]),
  );
});

interface Kill {
  readonly place: string;
  readonly number: number;
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

  async traces(): Promise<Trace[]> {
    const traces: Trace[] = [];
    for (let count = 0; count < 3; count += 1) {
      const daemon = await this.#atTheDoor();
      traces.push(await traceOf(this.#household, daemon, () => letIn(daemon)));
      await daemon.stop('SIGKILL');
    }
    return traces;
  }

  killAtEach(plan: Plan): Promise<Kill[]> {
    return carryOut(plan, (number) => this.#killAt(plan, number));
  }

  async #killAt(plan: Plan, number: number): Promise<Kill | null> {
    const { endpoint } = this.#household;
    const killed = await this.#atTheDoor();
    const call = await killIn(this.#household, killed, plan, number, () => letIn(killed));
    if (call === null) {
      await killed.stop('SIGKILL');
      return null;
    }
    const daemon = await this.#household.start();
    await rested(daemon);
    const { state } = await settled(daemon);
    const { refresh_token } = await this.#household.login();
    const kill = {
      place: `${plan.thread} ${nameOf(call)}`,
      number,
      isAlive: endpoint.isAlive(refresh_token),
      isNew: refresh_token !== this.#before,
      state,
      requests: endpoint.requests.length,
      leftovers: await this.#household.leftovers(),
    };
    await daemon.stop('SIGKILL');
    return kill;
  }

  /** A daemon that has been stopped before it has looked at what was left. */
  async #atTheDoor(): Promise<DaemonProcess> {
    await this.#restore();
    const daemon = await this.#household.spawn({ env: preloaded('stop-at-the-door.mjs') });
    await stopped(daemon);
    return daemon;
  }

  async #restore(): Promise<void> {
    for (const { part, copy } of this.#parts) {
      await rm(part, { recursive: true });
      await cp(copy, part, { recursive: true });
    }
  }
}

/** Lets a daemon go on that was stopped, and waits until it serves. */
async function letIn(daemon: DaemonProcess): Promise<void> {
  process.kill(daemon.pid, 'SIGCONT');
  await daemon.logged('listening');
}

/** Resolves when the process has been stopped by a signal. */
async function stopped({ pid }: DaemonProcess): Promise<void> {
  while (!/^State:\tT/m.test(await readFile(`/proc/${String(pid)}/status`, 'utf8')));
}
