import { Turns } from '../core/turns.js';
import { AuthdError, describeError } from '../errors.js';
import { takeFileLock, type FileLockOptions } from './file-lock.js';
import type { HeldLock } from './held-lock.js';
import { locateEntry, locateRealFile } from './locate.js';

export interface AccountLockOptions extends FileLockOptions {
  /** Of auth.json, real or a symbolic link. */
  readonly path: string;
  /** Where its journals are: told to whoever takes the lock when this daemon was killed. */
  readonly stateDirectory: string;
}

/** Nobody starts daemons with more state directories for one file, but for an accident. */
const MOST_STATES = 8;

/**
 * The lock by which one daemon keeps one auth.json. Where that is a symbolic link, both it and the real file are locked:
 * the one keeps out whoever comes by the same name when the link has become a file, as `codex logout` and a new login
 * make of it; the other whoever comes by another name.
 */
export class AccountLock {
  readonly #options: AccountLockOptions;
  /** Who asks while somebody else is taking the lock must not meet himself. */
  readonly #turns = new Turns();
  #locks: ReadonlyMap<string, HeldLock> = new Map();
  /** Where our word has told of our journals, and is to go on telling: some may be left, also while the lock is not held. */
  #told: readonly string[] = [];
  #tenure: object | null = null;
  #otherStates: readonly string[] = [];
  #refusal: AuthdError | null = null;

  constructor(options: AccountLockOptions) {
    this.#options = options;
  }

  /** False from the moment that another machine may have taken the lock: nothing is sent or stored then. */
  get held(): boolean {
    return this.#tenure !== null && [...this.#locks.values()].every((lock) => !lock.isCompromised);
  }

  /**
   * Looks whether it is held still, and is the one of where the file lies now: another machine may have taken it a moment ago,
   * or a link been turned. Never rejects.
   */
  async confirm(): Promise<boolean> {
    const { tenure } = this;
    const locks = [...this.#locks.values()];
    const isInPlace = await this.#isInPlace().catch(() => false);
    const confirmed = await Promise.all(locks.map((lock) => lock.confirm()));
    return tenure !== null && tenure === this.tenure && isInPlace && confirmed.every(Boolean);
  }

  /** Which taking of the lock this is: another one after every break. Null if it is not taken. */
  get tenure(): object | null {
    return this.#tenure;
  }

  /** What the last attempt to take it met; null if that went well. */
  get refusal(): AuthdError | null {
    return this.#refusal;
  }

  /** Other state directories of those who had the lock and did not let go of it: of daemons that were killed. */
  get otherStates(): readonly string[] {
    return this.#otherStates;
  }

  /**
   * Takes the lock unless it is held already. A lock that a killed daemon left is taken over at once, one of another
   * machine when it is stale, within 12 s. Resolves to whether it was held, or is taken anew.
   *
   * @throws AuthdError `already_running` if a living daemon has it; `storage` if it cannot be made
   */
  ensure(): Promise<'held' | 'taken'> {
    return this.#turns.take(() => this.#ensure());
  }

  /** `isUnsettled`: a journal is left, so whoever takes the lock next is told where. */
  release(isUnsettled = false): Promise<void> {
    return this.#turns.take(() => {
      this.#told = [];
      return this.#release(() => isUnsettled);
    });
  }

  async #ensure(): Promise<'held' | 'taken'> {
    const paths = await this.#locate();
    try {
      const isHeld = this.held && this.#isOf(paths);
      if (!isHeld) await this.#takeAll(paths);
      this.#refusal = null;
      return isHeld ? 'held' : 'taken';
    } catch (error) {
      await this.#letGo().catch(() => undefined);
      this.#refusal = explain(error);
      throw this.#refusal;
    }
  }

  async #isInPlace(): Promise<boolean> {
    return this.#isOf(await this.#locate());
  }

  #isOf(paths: readonly string[]): boolean {
    return paths.join('\0') === [...this.#locks.keys()].join('\0');
  }

  /** The file and what it leads to. Where that cannot be found out, nothing is known to have moved: what is held stays so. */
  async #locate(): Promise<string[]> {
    const { fs, path } = this.#options;
    try {
      return [...new Set([await locateEntry(fs, path), await locateRealFile(fs, path)])];
    } catch (error) {
      this.#refusal = explain(error);
      throw this.#refusal;
    }
  }

  async #takeAll(paths: readonly string[]): Promise<void> {
    this.#told = this.#told.filter((each) => paths.includes(each));
    await this.#letGo();
    for (const each of paths) await this.#take(each);
    this.#told = paths;
    this.#tenure = {};
  }

  async #take(path: string): Promise<void> {
    const { stateDirectory } = this.#options;
    const lock = await takeFileLock(path, this.#options, (last) => {
      this.#remember(last);
      return [stateDirectory, ...this.#otherStates];
    });
    this.#locks = new Map(this.#locks).set(path, lock);
  }

  /** For now: whoever is killed, or refused, before it is taken again must still be heard of. */
  #letGo(): Promise<void> {
    const knowsOthers = this.#otherStates.length > 0;
    return this.#release((path) => knowsOthers || this.#told.includes(path));
  }

  async #release(keepsWordAt: (path: string) => boolean): Promise<void> {
    const locks = [...this.#locks];
    this.#locks = new Map();
    this.#tenure = null;
    const failures: unknown[] = [];
    for (const [path, lock] of locks.toReversed()) {
      await lock.release(keepsWordAt(path)).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  #remember(states: readonly string[]): void {
    const known = new Set([...this.#otherStates, ...states]);
    known.delete(this.#options.stateDirectory);
    this.#otherStates = [...known].slice(-MOST_STATES);
  }
}

function explain(error: unknown): AuthdError {
  if (error instanceof AuthdError) return error;
  return new AuthdError('storage', `the lock beside auth.json cannot be made: ${describeError(error)}`, {
    hint: 'make the directory of auth.json writable',
    cause: error,
  });
}
