import { expect, it } from 'vitest';
import type { AccountStatus } from '../../src/protocol.js';
import type { DaemonProcess } from '../support/daemon-process.js';
import { Household, preloaded, refresh, rotateOnce, settled } from './household.js';
import { killInRotation, tracesOf, type Wreck } from './kill.js';
import { inLanes } from './lanes.js';
import { rested } from './rest.js';
import { demandStrace } from './strace.js';
import { carryOut, missed, plansFrom, strangeCalls, type Plan, type Trace } from './survey.js';

/** What the daemon after the kill made of it. */
interface Verdict extends Wreck {
  readonly reason: AccountStatus['reason'];
  /** Whether the refresh token in auth.json would work. */
  readonly isAlive: boolean;
  /** Whether a valid access token is given out. */
  readonly isServed: boolean;
  readonly leftovers: readonly string[];
}

/** Some 500 kills of half a second each, on a machine that has nothing else to do. */
const CAMPAIGN_MS = 2_400_000;

it(
  'killed at every system call of a rotation, it loses nothing but what it had not recorded yet',
  { timeout: CAMPAIGN_MS },
  async () => {
    demandStrace();
    const startedAtMs = performance.now();
    const traces = await tracesOfRotations();
    // The threads in which nothing is killed.
    expect(traces.flatMap(strangeCalls)).toEqual([]);
    const plans = plansFrom(traces, { isThorough: true });
    const verdicts = await inLanes(
      plans,
      () => Lane.open(),
      (plan, lane) => lane.killAtEach(plan),
    );
    const lost = verdicts.filter(({ isAlive }) => !isAlive);
    const unknown = verdicts.filter(({ isAlive, reason }) => isAlive && reason === 'outcome_unknown');
    console.info({
      kills: verdicts.length,
      places: new Set(verdicts.map(({ place }) => place)).size,
      calls: plans.map(({ thread, name }) => `${thread} ${name}`).join(', '),
      lost: lost.map(whereOf),
      unknownAndAlive: unknown.length,
      seconds: Math.round((performance.now() - startedAtMs) / 1000),
    });

    for (const verdict of verdicts) {
      const { isSent, answer, isAlive, isServed, reason, leftovers } = verdict;
      const where = whereOf(verdict);
      const isRecorded = answer !== null && answer !== '';
      expect.soft({ isServed, isAlive: isAlive || (isSent && !isRecorded) }, where).toEqual({
        isServed: true,
        isAlive: true,
      });
      // An intent without an answer: whether the token was spent cannot be known from here.
      expect.soft(reason, where).toBe(answer === '' ? 'outcome_unknown' : 'valid');
      expect.soft(leftovers, where).toEqual([]);
    }
    // The files' thread has nothing to do between the request and the record of its answer, but to wait for work.
    expect(lost.filter(({ thread }) => thread !== 'loop').map(whereOf)).toEqual([]);
    expect(lost.map(whereOf)).toContain('loop pwrite64 default.journal (1)');
    expect(missed(plans, verdicts)).toEqual([]);
    // That the trace saw what a rotation is made of.
    expect(verdicts.map(({ place }) => place)).toEqual(
      expect.arrayContaining([
        ...[
          'files fsync default.journal',
          'loop connect socket',
          'loop writev socket',
          'loop flock auth.lock',
        ],
        ...['files pwrite64 .codex/.auth.json.codex-authd-…', 'files rename .codex/auth.json'],
        ...['files rename default.json', 'files unlink default.journal'],
        ...['loop flock token.sending', 'files unlink token.sending'],
      ]),
    );
  },
);

it('finds a pair lost where the answer is not recorded', async () => {
  demandStrace();
  const household = await Household.found();
  const daemon = await household.start({ env: preloaded('forget-the-answer.mjs') });
  const wreck = await killInRotation(household, daemon, { thread: 'files', name: 'rename' }, 1);
  expect(wreck).toMatchObject({ isSent: true, answer: '' });
  const { refresh_token } = await household.login();
  expect(household.endpoint.isAlive(refresh_token)).toBe(false);
});

async function tracesOfRotations(): Promise<Trace[]> {
  const household = await Household.found();
  const daemon = await household.start();
  await rotateOnce(daemon);
  const traces = await tracesOf(household, daemon, () => refresh(daemon));
  await daemon.stop();
  return traces;
}

/** A home in which one daemon after the other is killed. */
class Lane {
  readonly #household: Household;
  readonly #unknown: string[] = [];
  #daemon: DaemonProcess;

  private constructor(household: Household, daemon: DaemonProcess) {
    this.#household = household;
    this.#daemon = daemon;
  }

  static async open(): Promise<Lane> {
    const household = await Household.found();
    const daemon = await household.start();
    await rotateOnce(daemon);
    return new Lane(household, daemon);
  }

  async killAtEach(plan: Plan): Promise<Verdict[]> {
    const verdicts = await carryOut(plan, (number) => this.#killAt(plan, number));
    expect(this.#household.endpoint.sentTwice()).toEqual([]);
    return verdicts;
  }

  async #killAt(plan: Plan, number: number): Promise<Verdict | null> {
    const household = this.#household;
    const wreck = await killInRotation(household, this.#daemon, plan, number);
    if (wreck === null) return null;
    if (wreck.answer === '') this.#unknown.push(wreck.before.refresh_token);
    this.#daemon = await household.start();
    const verdict = await judge(household, wreck, this.#daemon);
    const leftovers = await household.leftovers(this.#unknown);
    if (verdict.reason === 'outcome_unknown') await logInAgain(household, this.#daemon);
    await rotateOnce(this.#daemon);
    return { ...verdict, leftovers };
  }
}

async function judge(
  household: Household,
  wreck: Wreck,
  daemon: DaemonProcess,
): Promise<Omit<Verdict, 'leftovers'>> {
  await rested(daemon);
  const { reason } = await settled(daemon);
  const { refresh_token } = await household.login();
  const { text } = await daemon.ask('/v1/token');
  return {
    ...wreck,
    reason,
    isAlive: household.endpoint.isAlive(refresh_token),
    isServed: household.endpoint.verifyAccessToken(text.trim(), Date.now()),
  };
}

async function logInAgain(household: Household, daemon: DaemonProcess): Promise<void> {
  await household.logIn();
  while ((await daemon.account()).state !== 'fresh');
}

function whereOf({ place, number }: Wreck): string {
  return `${place} (${String(number)})`;
}
