import { expect, it } from 'vitest';
import type { AccountStatus } from '../../src/protocol.js';
import type { DaemonProcess } from '../support/daemon-process.js';
import { Household, preloaded, rotateOnce, settled } from './household.js';
import { inLanes, killInRotation, nameOf, TARGETS, type Target, type Wreck } from './kill.js';
import { demandStrace } from './strace.js';

/** What the daemon after the kill made of it. */
interface Verdict extends Wreck {
  readonly reason: AccountStatus['reason'];
  /** Whether the refresh token in auth.json would work. */
  readonly isAlive: boolean;
  /** Whether a valid access token is given out. */
  readonly isServed: boolean;
  readonly leftovers: readonly string[];
}

it('killed at every system call of a rotation, it loses nothing but what it had not recorded yet', async () => {
  demandStrace();
  const startedAtMs = performance.now();
  const verdicts = await inLanes(
    TARGETS,
    () => Lane.open(),
    (target, lane) => lane.killAtEach(target),
  );
  const lost = verdicts.filter(({ isAlive }) => !isAlive);
  const unknown = verdicts.filter(({ isAlive, reason }) => isAlive && reason === 'outcome_unknown');
  console.info({
    kills: verdicts.length,
    lost: lost.map(placeOf),
    unknownAndAlive: unknown.map(placeOf),
    seconds: Math.round((performance.now() - startedAtMs) / 1000),
  });

  for (const verdict of verdicts) {
    const { isSent, answer, isAlive, isServed, reason, leftovers } = verdict;
    const where = placeOf(verdict);
    const isRecorded = answer !== null && answer !== '';
    expect.soft({ isServed, isAlive: isAlive || (isSent && !isRecorded) }, where).toEqual({
      isServed: true,
      isAlive: true,
    });
    // An intent without an answer: whether the token was spent cannot be known from here.
    expect.soft(reason, where).toBe(answer === '' ? 'outcome_unknown' : 'valid');
    expect.soft(leftovers, where).toEqual([]);
  }
  // The files' thread has nothing to do between the request and the record of its answer.
  expect(lost.filter(({ thread }) => thread !== 'loop').map(placeOf)).toEqual([]);
  expect(lost.map(placeOf)).toContain('loop pwrite64 default.journal (1)');
  // That every call was met at all.
  expect(verdicts.map(({ call }) => nameOf(call))).toEqual(
    expect.arrayContaining([
      ...['fsync default.journal', 'connect socket', 'writev socket', 'flock auth.lock'],
      ...[
        'pwrite64 .auth.json.codex-authd-…',
        'rename auth.json',
        'rename default.json',
        'unlink default.journal',
      ],
    ]),
  );
});

it('finds a pair lost where the answer is not recorded', async () => {
  demandStrace();
  const household = await Household.found();
  const daemon = await household.start({ env: preloaded('forget-the-answer.mjs') });
  const wreck = await killInRotation(household, daemon, { thread: 'files', name: 'rename' }, 1);
  expect(wreck).toMatchObject({ isSent: true, answer: '' });
  const { refresh_token } = await household.login();
  expect(household.endpoint.isAlive(refresh_token)).toBe(false);
});

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

  /** Kill after kill, until a rotation is over before it. */
  async killAtEach(target: Target): Promise<Verdict[]> {
    const household = this.#household;
    const verdicts: Verdict[] = [];
    for (;;) {
      const wreck = await killInRotation(household, this.#daemon, target, verdicts.length + 1);
      if (wreck === null) break;
      if (wreck.answer === '') this.#unknown.push(wreck.before.refresh_token);
      this.#daemon = await household.start();
      const verdict = await judge(household, wreck, this.#daemon);
      verdicts.push({ ...verdict, leftovers: await household.leftovers(this.#unknown) });
      if (verdict.reason === 'outcome_unknown') await logInAgain(household, this.#daemon);
      await rotateOnce(this.#daemon);
    }
    expect(household.endpoint.sentTwice()).toEqual([]);
    return verdicts;
  }
}

async function judge(
  household: Household,
  wreck: Wreck,
  daemon: DaemonProcess,
): Promise<Omit<Verdict, 'leftovers'>> {
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

function placeOf({ thread, number, call }: Wreck): string {
  return `${thread} ${nameOf(call)} (${String(number)})`;
}
