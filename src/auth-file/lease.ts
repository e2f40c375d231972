import * as fs from 'node:fs';

type Callback = (error: NodeJS.ErrnoException | null) => void;

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
  readonly fileCalls: object;
  readonly #path: string;
  readonly #staleMs: number;
  #isHeld = false;
  #renewedAt = now();
  #markMs = 0;

  constructor(path: string, staleMs: number) {
    this.#path = path;
    this.#staleMs = staleMs;
    this.fileCalls = {
      mkdir: fs.mkdir,
      stat: fs.stat,
      utimes: (at: string, _accessed: Date, modified: Date, done: Callback) => {
        this.#renew(at, modified, done);
      },
      rmdir: (at: string, done: Callback) => {
        void this.#remove(at, done);
      },
      // When the process ends without having let go.
      rmdirSync: (at: string) => {
        if (this.#looksOurs(fs.statSync(at).mtimeMs)) fs.rmdirSync(at);
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

  /** Whether it was renewed so lately that nobody may have taken it, and looks as it did then. */
  async isOurs(): Promise<boolean> {
    try {
      return this.#looksOurs((await fs.promises.stat(this.#path)).mtimeMs);
    } catch {
      return false;
    }
  }

  #looksOurs(mtimeMs: number): boolean {
    return this.#isHeld && !this.isOverdue && isSameTime(Math.round(mtimeMs), this.#markMs);
  }

  async #remove(at: string, done: Callback): Promise<void> {
    if (this.#isHeld && !(await this.isOurs())) done(null);
    else fs.rmdir(at, done);
  }

  #renew(at: string, modified: Date, done: Callback): void {
    const renewedAt = now();
    // The first one is a probe that knows whole seconds only; what proper-lockfile goes on with is what it reads then.
    const spreadMs = this.#isHeld ? 0 : Math.floor(Math.random() * SPREAD_MS);
    const mark = new Date(modified.getTime() + spreadMs);
    fs.utimes(at, mark, mark, (error) => {
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
