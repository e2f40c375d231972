import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { opendir, readFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';

/** A system call as strace wrote it down. */
export interface SystemCall {
  readonly name: string;
  /** Who made it; null where only one thread was looked at. */
  readonly thread: number | null;
  /** The whole line, with the path behind each descriptor. */
  readonly line: string;
}

export interface StraceOptions {
  /** The system calls that are written down; all by default. */
  readonly calls?: readonly string[];
  /**
   * What is to happen at one of them, as strace says it: `rename:signal=KILL:when=3`. strace counts each thread's calls
   * of each name by themselves: with several names, or threads, the third rename might never be the third of all.
   */
  readonly inject?: string;
  /** Whether the other threads of the process are looked at as well, and those that it starts. */
  readonly isWhole?: boolean;
}

/** strace at work on one thread of a running process, or on all. */
export class Strace {
  readonly #tracer: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #log: string;

  private constructor(tracer: ChildProcess, log: string) {
    this.#tracer = tracer;
    this.#ended = once(tracer, 'exit');
    this.#log = log;
  }

  /** Resolves when every system call from now on is seen. */
  static async attach(thread: number, log: string, options: StraceOptions = {}): Promise<Strace> {
    const set = options.calls?.join(',') ?? 'all';
    const inject = options.inject === undefined ? [] : ['-e', `inject=${options.inject}`];
    const whole = options.isWhole === true ? ['-f'] : [];
    const args = [...whole, '-y', '-s', '64', '-o', log, '-e', `trace=${set}`, ...inject];
    const tracer = spawn('strace', [...args, '-p', String(thread)], { stdio: ['ignore', 'ignore', 'pipe'] });
    const strace = new Strace(tracer, log);
    onTestFinished(() => strace.detach());
    let said = '';
    await new Promise<void>((resolve, reject) => {
      tracer.stderr.setEncoding('utf8').on('data', (piece: string) => {
        said += piece;
        if (said.includes(' attached')) resolve();
      });
      tracer.once('exit', () => {
        reject(new Error(`strace cannot attach (it may need root): ${said}`));
      });
    });
    return strace;
  }

  /** Lets the process go on by itself. */
  async detach(): Promise<void> {
    this.#tracer.kill('SIGINT');
    await this.#ended;
  }

  /** What was written down, when strace has ended or the process has. */
  async calls(): Promise<SystemCall[]> {
    await this.#ended;
    return (await readFile(this.#log, 'utf8')).split('\n').flatMap(readCall);
  }
}

function readCall(line: string): SystemCall[] {
  const [, thread, rest = '', name] = /^(?:(\d+) +)?(([a-z_0-9]+)\(.*)/.exec(line) ?? [];
  return name === undefined
    ? []
    : [{ name, thread: thread === undefined ? null : Number(thread), line: rest }];
}

/** What strace does at a call that it kills at: the call is not executed, and has no result. */
export function isCutShort({ line }: SystemCall): boolean {
  return /= \?(?: <unavailable>)?$/.test(line) || line.endsWith('<unfinished ...>');
}

/**
 * The two threads of a daemon with `UV_THREADPOOL_SIZE=1` that touch the world: the event loop, and the one that does
 * Node's file calls in order (facts 5.15), which is made at the first of them, after all of V8's.
 */
export async function threadsOf(pid: number): Promise<{ loop: number; files: number }> {
  let newest = pid;
  // The kernel lists them as they were made; readdir would sort them, and the numbers begin anew at some point.
  for await (const { name } of await opendir(`/proc/${String(pid)}/task`)) newest = Number(name);
  return { loop: pid, files: newest };
}

/** @throws where the campaign cannot run, with what is missing */
export function demandStrace(): void {
  const { error } = spawnSync('strace', ['-V']);
  if (error !== undefined) throw new Error('the crash campaign needs strace: apt-get install strace');
}
