import { describe, expect, it } from 'vitest';
import type { AccountRecord } from '../../src/core/account-record.js';
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
