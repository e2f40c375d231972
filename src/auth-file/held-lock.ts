import { AuthdError, describeError } from '../errors.js';
import type { FileSystem } from '../os/file-system.js';
import type { KernelLock } from './kernel-lock.js';
import { disown, isSame, putDown, readOwner, readWord, type LockHolder } from './lock-owner.js';
import type { SharedLock } from './shared-lock.js';
import { isStillAt } from './still-at.js';

interface Holding {
  readonly fs: FileSystem;
  /** Of the owner's file, which the kernel's lock is on. */
  readonly path: string;
  readonly kernel: KernelLock;
  readonly shared: SharedLock;
  readonly self: LockHolder;
  /** Which state directories to write down, given those that are written there. */
  readonly statesAfter: (last: readonly string[]) => string[];
  readonly onLost: (error: Error) => void;
}

/** The lock of one file, in both its layers, with the word beside it that says whose it is and where his journals are. */
export class HeldLock {
  readonly #holding: Holding;
  #isUntold = false;

  constructor(holding: Holding) {
    this.#holding = holding;
  }

  /** Whether another machine may have it by now, or our word is not there any more: it is to be taken anew. */
  get isCompromised(): boolean {
    return this.#isUntold || this.#holding.shared.isCompromised;
  }

  /**
   * Looks whether it is ours still, and the word as well: a process of another machine that stood still just before it wrote
   * its own lost the lock to us, and wrote all the same. Never rejects.
   */
  async confirm(): Promise<boolean> {
    const failure = await this.#findWord().catch(toError);
    if (failure !== null && !this.#isUntold) {
      this.#isUntold = true;
      this.#holding.onLost(failure);
    }
    return (await this.#holding.shared.confirm()) && !this.#isUntold;
  }

  /**
   * Puts the word down over one that tells of the state directories `found`. Resolves to whether the lock was ours still when
   * that was done: whoever takes it later reads of us.
   *
   * @throws what the file system says
   */
  async tell(found: readonly string[]): Promise<boolean> {
    const { fs, path, kernel, shared, statesAfter } = this.#holding;
    const self = { ...this.#holding.self, states: statesAfter(found) };
    await putDown(fs, path, kernel.file, self);
    if (await shared.confirm()) return true;
    // Whoever read that we had it would take the lock of the one that has it for a dead one's.
    if (isSame(self, await readOwner(fs, path))) await disown(kernel.file, self.states);
    return false;
  }

  /** `keepsWord`: the word stays, or is put down again where it was written over, for journals are left. */
  async release(keepsWord: boolean): Promise<void> {
    const { fs, path, kernel, shared, self } = this.#holding;
    try {
      // First, while nobody else can have written it: one that was lost may be another machine's by now.
      const { owner, states } = await readWord(fs, path);
      if (isSame(self, owner) !== keepsWord && (await shared.confirm())) {
        await (keepsWord ? this.tell(states) : fs.unlink(path));
      }
    } catch {
      // Whoever comes next reads what is there.
    } finally {
      await shared.release().finally(() => kernel.release());
    }
  }

  /** Null if our word is at its place. */
  async #findWord(): Promise<Error | null> {
    const { fs, path, kernel, self } = this.#holding;
    const isInPlace = await isStillAt(fs, path, kernel.file);
    if (isInPlace && isSame(self, await readOwner(fs, path))) return null;
    return new AuthdError('already_running', `${path} no longer says that this daemon has the lock`, {
      hint: 'nothing to do: the lock is taken anew before a token is sent',
    });
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(describeError(error));
}
