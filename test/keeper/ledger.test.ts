import { describe, expect, it } from 'vitest';
import { HeldRecord } from '../../src/auth-file/held-record.js';
import { EMPTY_RECORD, type AccountRecord } from '../../src/core/account-record.js';
import { readLogin } from '../../src/core/login.js';
import { Ledger } from '../../src/keeper/ledger.js';
import { loginText } from './world.js';

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('the record behind the books', () => {
  it('is written by one at a time, and is the newest in the end', async () => {
    const saved: AccountRecord[] = [];
    let writing = 0;
    let mostAtOnce = 0;
    const store = {
      load: () => Promise.resolve(null),
      open: () => Promise.resolve(null),
      save: async (record: AccountRecord) => {
        writing += 1;
        mostAtOnce = Math.max(mostAtOnce, writing);
        await new Promise((resolve) => setImmediate(resolve));
        saved.push(record);
        writing -= 1;
        return true;
      },
    };
    const ledger = new Ledger('default', store, SILENT);
    await ledger.open(0);
    const login = readLogin(loginText('e30.e30.e30', 'refresh-1', 0));
    const bury = (n: number): Promise<boolean> =>
      ledger.bury({ fingerprint: String(n), reason: 'refresh_token_spent', detail: 'spent' });
    await Promise.all([ledger.enter(login, 'other', 0, 0), ...Array.from({ length: 20 }, (_, n) => bury(n))]);
    expect(mostAtOnce).toBe(1);
    expect(saved.at(-1)).toEqual(ledger.record);
    expect(ledger.record).toMatchObject({ generation: 1, dead: { length: 20 } });
  });
});

interface Lock {
  held: boolean;
  tenure: object | null;
}

const holding = (): Lock => ({ held: true, tenure: {} });
const waitingFor = (): Lock => ({ held: false, tenure: null });

/** A record on a disk, and two daemons' ledgers over it: only who has the lock may write. */
class Shelf {
  record: AccountRecord | null = null;

  ledger(lock: Lock): Ledger {
    const store = {
      load: () => Promise.resolve(this.record),
      confirm: () => Promise.resolve(),
      save: (record: AccountRecord) => {
        this.record = record;
        return Promise.resolve();
      },
    };
    return new Ledger('default', new HeldRecord(store, lock), SILENT);
  }
}

const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

async function enter(ledger: Ledger, token: string, nowMs = NOW_MS): Promise<number> {
  await ledger.enter(readLogin(loginText(token, `refresh of ${token}`, 0)), 'other', 0, nowMs);
  return ledger.published?.generation ?? 0;
}

describe('a number that may not outlive a loss of power', () => {
  it('is not given to a credential, though the record that has it can be read', async () => {
    let record: AccountRecord | null = null;
    const store = {
      load: () => Promise.resolve(record),
      confirm: () => Promise.resolve(),
      // The file was renamed, and its directory cannot be synced.
      save: (next: AccountRecord) => {
        record = next;
        return Promise.reject(new Error('EACCES: planted'));
      },
    };
    const ledger = new Ledger('default', new HeldRecord(store, holding()), SILENT);
    await ledger.open(NOW_MS);
    expect(await enter(ledger, 'e30.e30.e30')).toBe(NOW_MS / 1000);
  });
});

describe('a daemon that has not got the lock', () => {
  it('gives the number that the one with the lock has written down', async () => {
    const shelf = new Shelf();
    const keeping = shelf.ledger(holding());
    const waiting = shelf.ledger(waitingFor());
    await keeping.open(NOW_MS);
    expect(await enter(keeping, 'first')).toBe(1);
    await waiting.open(NOW_MS);
    expect(await enter(waiting, 'first')).toBe(1);
    expect(await enter(keeping, 'second')).toBe(2);
    expect(await enter(waiting, 'second')).toBe(2);
  });

  it('gives one that is not given again where there is none yet, and writes it down when it takes the lock', async () => {
    const shelf = new Shelf();
    const lock = waitingFor();
    const ledger = shelf.ledger(lock);
    await ledger.open(NOW_MS);
    const number = await enter(ledger, 'first');
    expect(number).toBe(NOW_MS / 1000);
    expect(shelf.record).toBeNull();
    Object.assign(lock, holding());
    await ledger.open(NOW_MS);
    // The next daemon goes on from there.
    const next = shelf.ledger(holding());
    await next.open(NOW_MS);
    expect(await enter(next, 'first')).toBe(number);
    expect(await enter(next, 'second')).toBe(number + 1);
  });

  it('writes over nothing that it has not read since it took the lock', async () => {
    const shelf = new Shelf();
    const keeping = shelf.ledger(holding());
    const lock = waitingFor();
    const waiting = shelf.ledger(lock);
    await keeping.open(NOW_MS);
    await waiting.open(NOW_MS);
    await enter(keeping, 'first');
    await keeping.bury({ fingerprint: 'abc', reason: 'refresh_token_rejected', detail: 'gone' });
    Object.assign(lock, holding());
    // The file is looked at before what was left has been taken up.
    await enter(waiting, 'second');
    expect(shelf.record).toMatchObject({ dead: [{ fingerprint: 'abc' }] });
    await waiting.open(NOW_MS);
    await enter(waiting, 'third');
    expect(shelf.record).toMatchObject({ dead: [{ fingerprint: 'abc' }] });
    expect(shelf.record?.generation).toBe(waiting.published?.generation);
  });

  it('gives none that comes again when those after it count on', async () => {
    const shelf = new Shelf();
    shelf.record = { ...EMPTY_RECORD, generation: NOW_MS / 1000 };
    const waiting = shelf.ledger(waitingFor());
    await waiting.open(NOW_MS);
    const told = await enter(waiting, 'first', NOW_MS + 10_000);
    const keeping = shelf.ledger(holding());
    await keeping.open(NOW_MS + 20_000);
    const later = await enter(keeping, 'second', NOW_MS + 20_000);
    expect(later).toBeGreaterThan(told);
    expect(await enter(keeping, 'third', NOW_MS + 20_000)).toBe(later + 1);
  });

  it('gives none that the one with the lock has given to another credential, in the same second either', async () => {
    const shelf = new Shelf();
    shelf.record = { ...EMPTY_RECORD, generation: NOW_MS / 1000 - 1 };
    const keeping = shelf.ledger(holding());
    const waiting = shelf.ledger(waitingFor());
    await keeping.open(NOW_MS);
    await waiting.open(NOW_MS);
    const told = await enter(keeping, 'first', NOW_MS + 100);
    expect(told).toBe(NOW_MS / 1000);
    const next = await enter(waiting, 'second', NOW_MS + 200);
    expect(next).toBeGreaterThan(told);
    expect(await enter(keeping, 'second', NOW_MS + 300)).toBe(next);
  });

  it('writes on once it is clear that nobody has taken the lock meanwhile', async () => {
    const shelf = new Shelf();
    const lock = holding();
    const ledger = shelf.ledger(lock);
    // It has been stopped for so long that somebody may have taken it.
    lock.held = false;
    await ledger.open(NOW_MS);
    await enter(ledger, 'first');
    expect(shelf.record).toBeNull();
    lock.held = true;
    const number = await enter(ledger, 'second');
    expect(shelf.record).toMatchObject({ generation: number });
  });
});
