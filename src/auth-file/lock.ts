import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { lock as acquire } from 'proper-lockfile';
import * as v from 'valibot';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import { tryToConnect } from '../os/dial.js';
import type { FileSystem } from '../os/file-system.js';
import { locateRealFile } from './locate.js';

/** A lock that was not renewed for this long belongs to a daemon that was killed. */
const STALE_MS = 10_000;
const RENEW_MS = 2_500;
/** How often a lock whose holder is gone is tried again until it is stale. */
const RETRY_MS = 500;

/** Who holds the lock of an account, as the file beside the lock says. */
const OwnerSchema = v.object({ pid: v.number(), host: v.string(), socket: v.string(), since: v.string() });
type LockOwner = v.InferOutput<typeof OwnerSchema>;

/**
 * The lock by which one daemon keeps one auth.json: a directory beside the real file, so that it also reaches
 * other machines on a shared file system. Its name is none of Codex's lock files: a directory at one of those
 * costs the login (facts 3.1).
 */
export class AccountLock {
  readonly #path: string;
  readonly #socket: string;
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #onLost: (error: Error) => void;
  #release: (() => Promise<void>) | null = null;
  #realPath: string | null = null;

  constructor(path: string, socket: string, fs: FileSystem, clock: Clock, onLost: (error: Error) => void) {
    this.#path = path;
    this.#socket = socket;
    this.#fs = fs;
    this.#clock = clock;
    this.#onLost = onLost;
  }

  get held(): boolean {
    return this.#release !== null;
  }

  /**
   * Takes the lock unless it is held already. A lock that a killed daemon left is waited for, up to 12 s.
   *
   * @throws AuthdError `already_running` if a living daemon has it; `storage` if it cannot be made
   */
  async ensure(): Promise<void> {
    const realPath = await locateRealFile(this.#fs, this.#path);
    if (this.held && realPath === this.#realPath) return;
    await this.release();
    const giveUpAtMs = this.#clock.now() + STALE_MS + 2_000;
    while (!(await this.#tryAcquire(realPath))) {
      const owner = await readOwner(realPath);
      if ((await isServing(owner)) || this.#clock.now() >= giveUpAtMs) throw heldBy(owner, this.#path);
      await pause(this.#clock, RETRY_MS);
    }
    await writeFile(ownerPath(realPath), `${JSON.stringify(this.#describeOwner(), null, 2)}\n`, {
      mode: 0o600,
    });
  }

  async release(): Promise<void> {
    const release = this.#release;
    const realPath = this.#realPath;
    this.#release = null;
    this.#realPath = null;
    if (release === null || realPath === null) return;
    await rm(ownerPath(realPath), { force: true });
    // A lock that was lost a moment ago is not ours to release any more.
    await release().catch(() => undefined);
  }

  async #tryAcquire(realPath: string): Promise<boolean> {
    try {
      this.#release = await acquire(realPath, {
        realpath: false,
        lockfilePath: `${realPath}.codex-authd.lock`,
        stale: STALE_MS,
        update: RENEW_MS,
        retries: 0,
        onCompromised: (error) => {
          this.#release = null;
          this.#onLost(error);
        },
      });
      this.#realPath = realPath;
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'ELOCKED') return false;
      throw new AuthdError('storage', `the lock beside auth.json cannot be made: ${describeError(error)}`, {
        hint: 'make the directory of auth.json writable',
        cause: error,
      });
    }
  }

  #describeOwner(): LockOwner {
    return {
      pid: process.pid,
      host: hostname(),
      socket: this.#socket,
      since: new Date(this.#clock.now()).toISOString(),
    };
  }
}

function ownerPath(realPath: string): string {
  return `${realPath}.codex-authd.owner`;
}

async function readOwner(realPath: string): Promise<LockOwner | null> {
  try {
    return v.parse(OwnerSchema, JSON.parse(await readFile(ownerPath(realPath), 'utf8')));
  } catch {
    return null;
  }
}

/**
 * Whether the holder is certainly at work: its socket answers. A process id would tell less: after a restart of the
 * machine or the container it may be anybody's, also our own.
 */
async function isServing(owner: LockOwner | null): Promise<boolean> {
  return owner?.host === hostname() && (await tryToConnect(owner.socket)) === null;
}

function heldBy(owner: LockOwner | null, path: string): AuthdError {
  const who =
    owner === null
      ? 'another codex-authd'
      : `codex-authd with pid ${String(owner.pid)} on ${owner.host}, up since ${owner.since}, socket ${owner.socket}`;
  return new AuthdError('already_running', `${path} is kept by ${who}`, {
    hint:
      owner === null
        ? 'stop it first, or use its socket'
        : `use its socket, or stop it with \`kill ${String(owner.pid)}\``,
  });
}
