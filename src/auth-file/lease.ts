import * as fs from 'node:fs';

type Callback = (error: NodeJS.ErrnoException | null) => void;
type Stats = Pick<fs.Stats, 'mtimeMs'>;

/** The file calls for one, as node:fs has them. */
export interface FileCalls {
  readonly mkdir: (path: string, done: Callback) => void;
  readonly stat: (path: string, done: (error: NodeJS.ErrnoException | null, stats: Stats) => void) => void;
  readonly utimes: (path: string, accessed: Date, modified: Date, done: Callback) => void;
  readonly rmdir: (path: string, done: Callback) => void;
  readonly statSync: (path: string) => Stats;
  readonly rmdirSync: (path: string) => void;
}

/** How far the modification time of a new lease is spread, so that two of the same second are told apart. */
const SPREAD_MS = 900;
/** Some file systems keep no more than every second one. */
const COARSE_MS = 2_000;

/**
 * A directory that proper-lockfile makes and renews, seen through the file calls that it makes for it: when it was last
 * renewed, and whether what lies there is still the one that was. proper-lockfile itself removes whatever lies there
 * (facts 5.1), a successor's as well.
 */
export class Lease {
  /** To be given to proper-lockfile: before `hold` they remove what is stale, afterwards only what is ours. */
  readonly fileCalls: Pick<FileCalls, 'mkdir' | 'stat' | 'utimes' | 'rmdir' | 'rmdirSync'>;
  readonly #path: string;
  readonly #staleMs: number;
  readonly #calls: FileCalls;
  #isHeld = false;
  #renewedAt = now();
  #markMs = 0;
  /** The time that is being written: the disk may have it before we are told. */
  #nextMarkMs: number | null = null;

  constructor(path: string, staleMs: number, calls: FileCalls = fs) {
    this.#path = path;
    this.#staleMs = staleMs;
    this.#calls = calls;
    this.fileCalls = {
      mkdir: calls.mkdir,
      stat: calls.stat,
      utimes: (at, _accessed, modified, done) => {
        this.#renew(at, modified, done);
      },
      rmdir: (at, done) => {
        void this.#remove(at, done);
      },
      // When the process ends without having let go.
      rmdirSync: (at) => {
        if (this.#looksOurs(calls.statSync(at).mtimeMs)) calls.rmdirSync(at);
      },
    };
  }

  /** It has been taken. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Whether it has not been renewed for so long that somebody may have taken it: after a stop, before anybody has looked. */
  get isOverdue(): boolean {
    return this.#isHeld && this.#ageMs() >= this.#staleMs;
  }

  /**
   * Whether it was renewed so lately that nobody may have taken it, and looks as it did then. Bad news is believed when a
   * second look confirms it: a renewal may have come between the disk's answer and the comparison.
   */
  async isOurs(): Promise<boolean> {
    return (await this.#look()) || (await this.#look());
  }

  async #look(): Promise<boolean> {
    try {
      return this.#looksOurs(await this.#readTime());
    } catch {
      return false;
    }
  }

  #looksOurs(mtimeMs: number): boolean {
    if (!this.#isHeld || this.isOverdue) return false;
    const foundMs = Math.round(mtimeMs);
    return [this.#markMs, this.#nextMarkMs].some((markMs) => markMs !== null && isSameTime(foundMs, markMs));
  }

  #readTime(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#calls.stat(this.#path, (error, stats) => {
        if (error === null) resolve(stats.mtimeMs);
        else reject(error);
      });
    });
  }

  async #remove(at: string, done: Callback): Promise<void> {
    if (this.#isHeld && !(await this.isOurs())) done(null);
    else this.#calls.rmdir(at, done);
  }

  #renew(at: string, modified: Date, done: Callback): void {
    const renewedAt = now();
    // The first one is a probe that knows whole seconds only; what proper-lockfile goes on with is what it reads then.
    const spreadMs = this.#isHeld ? 0 : Math.floor(Math.random() * SPREAD_MS);
    const mark = new Date(modified.getTime() + spreadMs);
    this.#nextMarkMs = mark.getTime();
    this.#calls.utimes(at, mark, mark, (error) => {
      this.#nextMarkMs = null;
      if (error === null) {
        this.#renewedAt = renewedAt;
        this.#markMs = mark.getTime();
      }
      done(error);
    });
  }

  /** By the clock that tells more: the one stands still while the machine sleeps, the other may be set. */
  #ageMs(): number {
    const { wallMs, steadyMs } = now();
    return Math.max(wallMs - this.#renewedAt.wallMs, steadyMs - this.#renewedAt.steadyMs);
  }
}

function now(): { readonly wallMs: number; readonly steadyMs: number } {
  return { wallMs: Date.now(), steadyMs: performance.now() };
}

function isSameTime(foundMs: number, markMs: number): boolean {
  return foundMs === markMs || (foundMs % 1000 === 0 && Math.abs(foundMs - markMs) < COARSE_MS);
}
