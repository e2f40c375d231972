import { join } from 'node:path';
import type { DaemonProcess } from '../support/daemon-process.js';
import type { LoginTokens } from '../support/login-file.js';
import { fingerprintOf } from '../support/tokens.js';
import type { Household } from './household.js';
import { isCutShort, Strace, threadsOf, type SystemCall } from './strace.js';

/** What the event loop asks of the kernel that anybody else could see: the network, the locks, and the journal. */
const LOOP_CALLS = [
  ...[
    'accept4',
    'bind',
    'close',
    'connect',
    'epoll_ctl',
    'fdatasync',
    'flock',
    'fsync',
    'ftruncate',
    'getsockopt',
  ],
  ...[
    'inotify_add_watch',
    'inotify_rm_watch',
    'listen',
    'openat',
    'pwrite64',
    'pwritev',
    'recvmsg',
    'rename',
  ],
  ...['sendmsg', 'sendto', 'setsockopt', 'shutdown', 'socket', 'unlink', 'write', 'writev'],
];

/** What Node's file calls ask of it. In this thread, `write` only wakes the event loop. */
const FILE_CALLS = [
  ...[
    'chmod',
    'chown',
    'close',
    'fchmod',
    'fchown',
    'fdatasync',
    'fsync',
    'ftruncate',
    'link',
    'mkdir',
    'openat',
  ],
  ...['pwrite64', 'pwritev', 'rename', 'renameat2', 'rmdir', 'symlink', 'unlink', 'unlinkat', 'utimensat'],
];

/** A thread of the daemon in which it is killed. */
export type Thread = 'loop' | 'files';

/** A system call by its name, in the thread that makes it. */
export interface Target {
  readonly thread: Thread;
  readonly name: string;
}

export const TARGETS: readonly Target[] = [
  ...LOOP_CALLS.map((name): Target => ({ thread: 'loop', name })),
  ...FILE_CALLS.map((name): Target => ({ thread: 'files', name })),
];

/** Two at a time: the machine has two cores. Each lane takes the next item when it is done with one. */
export async function inLanes<Item, Lane, Result>(
  items: readonly Item[],
  open: () => Promise<Lane>,
  work: (item: Item, lane: Lane) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const queue = [...items];
  const results: Result[] = [];
  const run = async (): Promise<void> => {
    const lane = await open();
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      results.push(...(await work(item, lane)));
    }
  };
  await Promise.all([run(), run()]);
  return results;
}

/** What a kill left, before anything was started again. */
export interface Wreck {
  readonly thread: Thread;
  /** The how manieth call of its name it was in the rotation. */
  readonly number: number;
  /** The call that was not executed any more. */
  readonly call: SystemCall;
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
  { thread, name }: Target,
  number: number,
): Promise<Wreck | null> {
  const before = await household.login();
  const threads = await threadsOf(daemon.pid);
  const strace = await Strace.attach(threads[thread], join(household.sandbox.directory, 'strace.log'), {
    calls: [name],
    inject: `${name}:signal=KILL:when=${String(number)}`,
  });
  const isAnswered = await daemon.ask('/v1/refresh', 'POST').then(
    ({ status }) => status === 200,
    () => false,
  );
  if (isAnswered) {
    await strace.detach();
    return null;
  }
  await daemon.cli.ended;
  const call = await lastCall(strace, name, number);
  await household.endpoint.quiet();
  // A file that is torn or open to others is found here.
  await household.login();
  const { refresh_token } = before;
  const isSent = household.endpoint.requests.some(
    ({ fingerprint }) => fingerprint === fingerprintOf(refresh_token),
  );
  return { thread, number, call, before, isSent, answer: await household.recordedAnswer(refresh_token) };
}

/** The call at which strace killed: it was not executed any more. */
export async function lastCall(strace: Strace, name: string, number: number): Promise<SystemCall> {
  const calls = (await strace.calls()).filter((each) => each.name === name);
  const call = calls.at(-1);
  if (call === undefined || calls.length !== number || !isCutShort(call)) {
    throw new Error(`the daemon did not end at ${name} ${String(number)}, but at ${call?.line ?? 'nothing'}`);
  }
  return call;
}

/** `openat .auth.json.codex-authd-…`: a call and what it is about, the same in each run. */
export function nameOf({ name, line }: SystemCall): string {
  const descriptor = /^[^(]*\(\d+<([^>]*)>/.exec(line)?.[1];
  const path = descriptor ?? [...line.matchAll(/"(\/[^"]*)"/g)].at(-1)?.[1] ?? '';
  const file = (path.split('/').at(-1) ?? '')
    .replace(/^(socket|anon_inode):.*/, '$1')
    .replace(/codex-authd-[0-9a-f]{12}$/, 'codex-authd-…')
    .replace(/^default-[0-9a-f]{12}((\.[0-9a-f]{8})?\.[0-9a-f]{12})?/, 'default');
  return file === '' ? name : `${name} ${file}`;
}
