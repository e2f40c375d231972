import type { Clock } from '../../../src/os/clock.js';
import type { Disk, Inode } from './disk.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** Everything that a process can ask the world for. */
export type Operation =
  | 'open'
  | 'create'
  | 'stat'
  | 'read'
  | 'write'
  | 'extend'
  | 'truncate'
  | 'chown'
  | 'sync'
  | 'sync directory'
  | 'lock'
  | 'close'
  | 'realpath'
  | 'rename'
  | 'unlink'
  | 'mkdir'
  | 'readdir'
  | 'prepare'
  | 'connect'
  | 'send';

/** The machine on which processes run. */
export interface Host {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly disk: Disk;
  /** How far the machine's wall clock is ahead of true time. */
  readonly wallOffsetMs: number;
  /** How often the machine has slept or its clock was set. */
  readonly clockMoves: number;
  /** The probability that an operation takes time, so that others may come between. */
  readonly delayChance: number;
  /** A process is about to do something: the moment for anything to happen to it. */
  onOperation(process: VirtualProcess, operation: Operation, path: string): void;
  /** The code of the error that an operation meets; null if it goes well. */
  errorFor(process: VirtualProcess, operation: Operation, path: string): string | null;
  onSynced(): void;
  onRenamed(process: VirtualProcess, from: Inode, to: string, replaced: Inode | null): void;
  /** A file was made empty where none was, written into or cut: it was not replaced by a whole one. */
  onAltered(process: VirtualProcess, inode: Inode): void;
  onWritten(process: VirtualProcess, path: string): void;
  onUnlinked(process: VirtualProcess, path: string): void;
}

const LONGEST_OPERATION_MS = 20;

/** A process: it can be killed or stopped at every operation, and then nothing of it goes on. */
export class VirtualProcess {
  readonly name: string;
  /** Empty for those who are no daemon. */
  readonly stateDirectory: string;
  /** What the kernel locks reaches as far as this. */
  readonly machine: string;
  readonly clock: Clock;
  /** Whether somebody else has taken its lease, in whatever it knows of that. */
  isSuperseded = false;
  readonly #host: Host;
  readonly #locked = new Map<Inode, object>();
  /** Whether it can know that the machine's clock is behind: it has seen it being set, or had an answer with a date. */
  canKnowTime: boolean;
  #movesSeen: number;
  #isAlive = true;
  #stoppedUntilMs = 0;
  #haltedAtMs = 0;

  constructor(name: string, stateDirectory: string, host: Host, machine = 'this one') {
    this.name = name;
    this.stateDirectory = stateDirectory;
    this.machine = machine;
    this.#host = host;
    this.canKnowTime = host.wallOffsetMs >= 0;
    this.#movesSeen = host.clockMoves;
    this.clock = {
      now: () => {
        this.#movesSeen = host.clockMoves;
        return host.timeline.nowMs + host.wallOffsetMs;
      },
      monotonicMs: () => host.timeline.monotonicMs,
      after: (delayMs, wake) =>
        host.timeline.after(delayMs, () => {
          this.#whenRunning(wake);
        }),
    };
  }

  /** How many moves of its clock it can have noticed. */
  get movesSeen(): number {
    return this.#movesSeen;
  }

  get isDaemon(): boolean {
    return this.stateDirectory !== '';
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Whether it has ended meanwhile: another word for the same, for those who have awaited something. */
  hasEnded(): boolean {
    return !this.#isAlive;
  }

  get isStopped(): boolean {
    return this.#host.timeline.nowMs < this.#stoppedUntilMs;
  }

  /** When it went on after it had been stopped; 0 if it never was. */
  get wokeAtMs(): number {
    return this.#stoppedUntilMs;
  }

  /** Since when it had been stopped then. */
  get haltedAtMs(): number {
    return this.#haltedAtMs;
  }

  /** When it last did anything, or could have. */
  get ranUntilMs(): number {
    if (this.isStopped || !this.#isAlive) return this.#haltedAtMs;
    return this.#host.timeline.nowMs;
  }

  /** SIGKILL, or the end of it: its locks are free at once. */
  kill(): void {
    this.#haltedAtMs = this.ranUntilMs;
    this.#isAlive = false;
    for (const [inode, holder] of this.#locked) this.unlock(inode, holder);
  }

  /** SIGSTOP, and SIGCONT after a while: the last one counts. */
  stop(durationMs: number): void {
    this.#haltedAtMs = this.ranUntilMs;
    this.#stoppedUntilMs = Math.max(this.#stoppedUntilMs, this.#host.timeline.nowMs + durationMs);
  }

  lock(inode: Inode, holder: object): boolean {
    const holding = inode.lockedBy.get(this.machine);
    if (holding !== undefined) return holding === holder;
    inode.lockedBy.set(this.machine, holder);
    this.#locked.set(inode, holder);
    return true;
  }

  unlock(inode: Inode, holder: object): void {
    if (inode.lockedBy.get(this.machine) === holder) inode.lockedBy.delete(this.machine);
  }

  /** Does one operation, unless the process is dead by then. */
  async operate<T>(operation: Operation, path: string, act: () => T): Promise<T> {
    const host = this.#host;
    host.onOperation(this, operation, path);
    // A promise of its own: one for all would hold on to whoever has ever waited for it.
    if (!this.#isAlive) return new Promise<never>(() => undefined);
    if (this.isStopped || host.random.chance(host.delayChance)) {
      await new Promise<void>((resolve) => {
        host.timeline.after(host.random.next() * LONGEST_OPERATION_MS, () => {
          this.#whenRunning(resolve);
        });
      });
    }
    return this.operateNow(operation, path, act);
  }

  /** Does the operation at once. */
  operateNow<T>(operation: Operation, path: string, act: () => T): T {
    const code = this.#host.errorFor(this, operation, path);
    if (code !== null) throw Object.assign(new Error(`${code}: ${operation} ${path}`), { code });
    return act();
  }

  /** Waits for something that takes as long as it takes outside of the machine. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#host.timeline.after(
        delayMs,
        () => {
          this.#whenRunning(resolve);
        },
        false,
      );
    });
  }

  #whenRunning(happen: () => void): void {
    if (!this.#isAlive) return;
    const waitMs = this.#stoppedUntilMs - this.#host.timeline.nowMs;
    if (waitMs <= 0) happen();
    else
      this.#host.timeline.after(
        waitMs,
        () => {
          this.#whenRunning(happen);
        },
        false,
      );
  }
}
