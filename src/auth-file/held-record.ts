import type { AccountRecord } from '../core/account-record.js';
import type { AccountLock } from './lock.js';
import type { RecordStore } from './record-store.js';

/**
 * The record is for the one to write who has the account's lock, and has read it since he took that: what the holder
 * before him wrote would be lost else, and with it which refresh tokens must not be sent.
 */
export class HeldRecord {
  readonly #store: Pick<RecordStore, 'load' | 'confirm' | 'save'>;
  readonly #lock: Pick<AccountLock, 'held' | 'tenure'>;
  #openedIn: object | null = null;

  constructor(
    store: Pick<RecordStore, 'load' | 'confirm' | 'save'>,
    lock: Pick<AccountLock, 'held' | 'tenure'>,
  ) {
    this.#store = store;
    this.#lock = lock;
  }

  load(): Promise<AccountRecord | null> {
    return this.#store.load();
  }

  async open(): Promise<AccountRecord | null> {
    const { tenure } = this.#lock;
    try {
      const record = await this.#store.load();
      // A number that is told from it must not be given again. Where the disk refuses that, it refuses the next one, too.
      if (record !== null) await this.#store.confirm().catch(() => undefined);
      return record;
    } finally {
      this.#openedIn = tenure;
    }
  }

  async save(record: AccountRecord): Promise<boolean> {
    const { held, tenure } = this.#lock;
    if (!held || tenure !== this.#openedIn) return false;
    await this.#store.save(record);
    return true;
  }
}
