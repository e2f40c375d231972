import type { FileSystem } from '../os/file-system.js';
import type { KernelLock } from './kernel-lock.js';
import { isSame, putDown, readOwner, readWord, type LockOwner } from './lock-owner.js';
import type { SharedLock } from './shared-lock.js';
import { isStillAt } from './still-at.js';

interface Holding {
  readonly fs: FileSystem;
  /** Of the owner's file, which the kernel's lock is on. */
  readonly path: string;
  readonly kernel: KernelLock;
  readonly shared: SharedLock;
  /** What was put down when it was taken. */
  readonly self: LockOwner;
  /** Which state directories to write down, given those that somebody else has written. */
  readonly statesAfter: (found: readonly string[]) => string[];
}

/** The lock of one file, in both its layers, with the word beside it that says whose it is. */
export class HeldLock {
  readonly #holding: Holding;
  #self: LockOwner;
  #isUntold = false;

  constructor(holding: Holding) {
    this.#holding = holding;
    this.#self = holding.self;
  }

  /** Whether another machine may have it by now, or nobody be told where our journals are: it is to be taken anew. */
  get isCompromised(): boolean {
    return this.#isUntold || this.#holding.shared.isCompromised;
  }

  /** Looks whether it is ours still, and whether the word says so. Never rejects. */
  async confirm(): Promise<boolean> {
    await this.#tellAgain().catch(() => {
      this.#isUntold = true;
    });
    return (await this.#holding.shared.confirm()) && !this.#isUntold;
  }

  /** `keepsWord`: the file that says whose it was stays, and with it where that one's journals are. */
  async release(keepsWord: boolean): Promise<void> {
    const { fs, path, kernel, shared } = this.#holding;
    try {
      // First, while nobody else can have written it: one that was lost may be another machine's by now.
      const owner = keepsWord ? null : await readOwner(fs, path).catch(() => null);
      if ((await shared.confirm()) && isSame(this.#self, owner)) {
        await fs.unlink(path).catch(() => undefined);
      }
    } finally {
      await shared.release().finally(() => kernel.release());
    }
  }

  /** A process of another machine that stood still just before it wrote its word lost the lock to us, and wrote all the same. */
  async #tellAgain(): Promise<void> {
    const { fs, path, kernel, shared, statesAfter } = this.#holding;
    const { owner, states } = await readWord(fs, path);
    if (isSame(this.#self, owner) || !(await shared.confirm())) return;
    this.#self = { ...this.#self, states: statesAfter(states) };
    await putDown(fs, path, kernel.file, this.#self);
    // Or the file was removed: what is told in ours is read by nobody then.
    if (!(await isStillAt(fs, path, kernel.file))) this.#isUntold = true;
  }
}
