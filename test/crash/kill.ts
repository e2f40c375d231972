import type { DaemonProcess } from '../support/daemon-process.js';
import type { LoginTokens } from '../support/login-file.js';
import { fingerprintOf } from '../support/tokens.js';
import { nameOf } from './call-kinds.js';
import { refresh, type Household } from './household.js';
import { rested } from './rest.js';
import { isCutShort, Strace, threadsOf, type SystemCall } from './strace.js';
import type { Target, Thread, Trace } from './survey.js';

/** Something that is asked of the daemon. It rejects if the daemon does not do it. */
export type Act = () => Promise<unknown>;

/** All system calls of a daemon that rests, or stands still, while it does something and until it rests. */
export async function traceOf(household: Household, daemon: DaemonProcess, act: Act): Promise<Trace> {
  const threads = await threadsOf(daemon.pid);
  const strace = await Strace.attach(daemon.pid, household.straceLog, { isWhole: true });
  await act();
  await rested(daemon);
  await strace.detach();
  return { threads, calls: await strace.calls() };
}

/** As many traces as tell what occurs each time. */
export async function tracesOf(
  household: Household,
  daemon: DaemonProcess,
  act: Act,
  undo?: Act,
): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (let count = 0; count < 3; count += 1) {
    await rested(daemon);
    traces.push(await traceOf(household, daemon, act));
    await undo?.();
  }
  return traces;
}

/**
 * Kills a daemon that rests, or stands still, at a system call of what it does until it rests. Null if there is no such
 * call: then it has come through all of it, what it does after its answer as well.
 */
export async function killIn(
  household: Household,
  daemon: DaemonProcess,
  { thread, name }: Target,
  number: number,
  act: Act,
): Promise<SystemCall | null> {
  const threads = await threadsOf(daemon.pid);
  const strace = await Strace.attach(threads[thread], household.straceLog, {
    calls: [name],
    inject: `${name}:signal=KILL:when=${String(number)}`,
  });
  const refusal = await act().then(
    () => null,
    (error: unknown) => error,
  );
  if (await rested(daemon)) {
    await strace.detach();
    if (refusal !== null) throw refusal instanceof Error ? refusal : new Error('what was asked was not done');
    return null;
  }
  await household.endpoint.quiet();
  return lastCall(strace, name, number);
}

/** What a kill left, before anything was started again. */
export interface Wreck {
  readonly thread: Thread;
  /** The call that was not executed any more, and what it was about. */
  readonly place: string;
  /** The how manieth call of its name it was in the rotation. */
  readonly number: number;
  /** The login before the rotation. */
  readonly before: LoginTokens;
  /** Whether the server had been sent its refresh token. */
  readonly isSent: boolean;
  /** What the journals hold of the answer; null where there is no intent in one. */
  readonly answer: string | null;
}

/** Kills the daemon at a system call of a rotation. Null if it came through it: there is no such call. */
export async function killInRotation(
  household: Household,
  daemon: DaemonProcess,
  target: Target,
  number: number,
): Promise<Wreck | null> {
  await rested(daemon);
  const before = await household.login();
  const call = await killIn(household, daemon, target, number, () => refresh(daemon));
  if (call === null) return null;
  // A file that is torn or open to others is found here.
  await household.login();
  const { refresh_token } = before;
  const isSent = household.endpoint.requests.some(
    ({ fingerprint }) => fingerprint === fingerprintOf(refresh_token),
  );
  const { thread } = target;
  const place = `${thread} ${nameOf(call)}`;
  return { thread, place, number, before, isSent, answer: await household.recordedAnswer(refresh_token) };
}

/** The call at which strace killed: it was not executed any more. */
async function lastCall(strace: Strace, name: string, number: number): Promise<SystemCall> {
  const calls = (await strace.calls()).filter((each) => each.name === name);
  const call = calls.at(-1);
  if (call === undefined || calls.length !== number || !isCutShort(call)) {
    throw new Error(`the daemon did not end at ${name} ${String(number)}, but at ${call?.line ?? 'nothing'}`);
  }
  return call;
}
