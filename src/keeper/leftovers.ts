import { describeError } from '../errors.js';
import type { Contents } from './contents.js';
import { isRotation } from './harvest.js';
import type { AccountLockPort, JournalPort, LogPort } from './ports.js';
import { recover } from './recover.js';
import type { ServerTime } from './server-time.js';

const LOOK_MS = 3600 * 1000;

/**
 * What waits in the journal for a login that is away may come back with the file, out of a backup for example. After a
 * month it is dropped all the same: its access token has expired long since (facts 1.5), nobody has missed the login,
 * and a logout should not leave a live refresh token on the disk for ever. The token that was spent for it stays
 * buried, so that a file from a backup still older asks for a login instead of ending a family by reuse.
 */
const LONGEST_WAIT_MS = 30 * 24 * LOOK_MS;

export interface LeftoversOptions {
  readonly account: string;
  readonly journal: JournalPort;
  readonly lock: AccountLockPort;
  readonly contents: Contents;
  readonly time: ServerTime;
  readonly log: LogPort;
}

/** The journals of rotations that are over, and of which the file has not got what they brought. */
export class Leftovers {
  readonly #options: LeftoversOptions;
  #lookedAtMs = -Infinity;

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** Drops what has waited for too long; looks at most once an hour. Never rejects. */
  async dropOld(): Promise<void> {
    const { account, journal, time, log } = this.#options;
    if (time.monotonicMs() - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = time.monotonicMs();
    try {
      for (const left of await recover(journal, time.now())) {
        const { spent, startedAtMs } = left;
        const isOld = startedAtMs !== null && time.now() - startedAtMs > LONGEST_WAIT_MS;
        if (!isOld || !left.isOwn || this.#isWanted(spent)) continue;
        await this.drop(spent, left.kind === 'harvest' && isRotation(left.harvest));
        log.info({ account, spent }, 'dropped what a rotation had left for a login that did not come back');
      }
    } catch (error) {
      log.warn({ account, reason: describeError(error) }, 'the journal cannot be read');
    }
  }

  /** The burial comes first: until it is written down, the journal is what tells that the token is spent. */
  async drop(spent: string, isSpentForGood: boolean): Promise<void> {
    const { account, journal, lock, contents, log } = this.#options;
    // Without the lock it may be another daemon's, which is at it now.
    if (!lock.held) return;
    if (isSpentForGood) await contents.burySpent(spent);
    contents.forget(spent);
    await journal.clear(spent).catch((error: unknown) => {
      log.warn({ account, err: error }, 'the journal cannot be removed');
    });
  }

  /** Whether the file of this moment has something to do with it. */
  #isWanted(spent: string): boolean {
    const { pending, ledger } = this.#options.contents;
    const { login } = ledger;
    return pending?.spent === spent || (login.kind === 'chatgpt' && login.refreshToken.fingerprint === spent);
  }
}
