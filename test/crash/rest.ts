import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonProcess } from '../support/daemon-process.js';
import { threadsOf } from './strace.js';

/**
 * No wait within a piece of work is longer: 80 ms after the last change of a file (src/auth-file/settle.ts), 250 ms until
 * bad news are believed (src/auth-file/read-settled.ts). Whoever waits for longer waits for the next tick, or for us.
 */
const LONGEST_PAUSE_MS = 250;

/** Whoever looks without a pause takes the processor from the one whose work is waited for. */
const BETWEEN_LOOKS_MS = 3;

/** The kernel's numbers for them. */
const { epollPwait, futex } =
  process.arch === 'arm64' ? { epollPwait: 22, futex: 98 } : { epollPwait: 281, futex: 202 };

/**
 * Resolves when the daemon has nothing to do and nothing on its way: true when its event loop sleeps with no timer near
 * and Node's file thread sleeps as well, false when it has ended.
 *
 * The kernel says so, for the daemon cannot: after it has given its answer it saves the record, removes the journal,
 * publishes, and its watcher looks at what has changed, and whoever asked it whether that is over gave it work to do.
 */
export async function rested(daemon: DaemonProcess): Promise<boolean> {
  await demandSyscallFiles();
  const ended = daemon.cli.ended.then(() => true);
  while (!(await sleeps(daemon.pid))) {
    if (await Promise.race([ended, sleep(BETWEEN_LOOKS_MS, false)])) return false;
  }
  return true;
}

/** @throws where the kernel does not tell which call a process is in: one would wait for ever */
async function demandSyscallFiles(): Promise<void> {
  try {
    await readFile('/proc/self/syscall');
  } catch (error) {
    throw new Error('the crash campaign needs Linux with /proc/PID/syscall, and root', { cause: error });
  }
}

/** What the kernel says of a thread. */
interface Glance {
  readonly isAsleep: boolean;
  /** Grows whenever it has run. */
  readonly switches: string;
  readonly call: number;
  readonly args: readonly bigint[];
}

/** If the loop did not run between two glances, and the file thread slept between them, both slept at once. */
async function sleeps(pid: number): Promise<boolean> {
  try {
    const { loop, files } = await threadsOf(pid);
    const before = await glance(pid, loop);
    const between = await glance(pid, files);
    const after = await glance(pid, loop);
    const isLoopAsleep = waitsForLong(before) && waitsForLong(after) && before.switches === after.switches;
    return isLoopAsleep && between.isAsleep && between.call === futex;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function waitsForLong({ isAsleep, call, args }: Glance): boolean {
  const timeoutMs = Number(BigInt.asIntN(32, args[3] ?? 0n));
  return isAsleep && call === epollPwait && (timeoutMs === -1 || timeoutMs > LONGEST_PAUSE_MS);
}

async function glance(pid: number, thread: number): Promise<Glance> {
  const directory = `/proc/${String(pid)}/task/${String(thread)}`;
  const status = await readFile(`${directory}/status`, 'utf8');
  const [call, ...args] = (await readFile(`${directory}/syscall`, 'utf8')).trim().split(' ');
  return {
    isAsleep: /^State:\tS/m.test(status),
    switches: [...status.matchAll(/ctxt_switches:\t(\d+)/g)].map(([, count]) => count).join(),
    // Of one that runs it says `running`.
    call: Number(call),
    args: args.map(BigInt),
  };
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}
