import { describe, expect, it } from 'vitest';
import { EMPTY_RECORD } from '../../src/core/account-record.js';
import { fingerprintOf } from '../support/tokens.js';
import { AuthdError } from '../../src/errors.js';
import { HOUR, MINUTE, refreshTokenIn, World } from './world.js';

const SPENT = fingerprintOf('refresh-1');

describe('a journal that cannot be read', () => {
  it('keeps the daemon from sending until it can: it may hold the only copy of the login', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const answer = { access_token: world.server.issue(world.clock.now(), HOUR), refresh_token: 'refresh-2' };
    world.journal.left.set(SPENT, JSON.stringify(answer));
    world.journal.readFailure = new Error('EIO');
    const keeper = await world.keeper();
    await world.clock.advance(MINUTE);
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'storage_unavailable' });
    expect(keeper.state.detail).toContain('EIO');
    expect(keeper.servable).not.toBeNull();
    expect(world.server.sent).toEqual([]);

    world.journal.readFailure = null;
    await keeper.tick();
    await world.clock.advance(20 * MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual([]);
    await keeper.tick();
    expect(world.journal.left.size).toBe(0);
  });
});

describe('an account record that cannot be read', () => {
  it.each([
    ['the disk does not give it', Object.assign(new Error('EIO'), { code: 'EIO' })],
    ['a later version wrote it', new AuthdError('storage', 'it was written by a later version')],
  ])(
    'where %s, keeps the daemon from sending, and is not written over: it may tell of a token that is dead',
    async (_why, failure) => {
      const world = new World();
      world.logIn(HOUR, 50 * MINUTE);
      const dead = [{ fingerprint: SPENT, reason: 'refresh_token_spent', detail: 'used before' }] as const;
      const record = { ...EMPTY_RECORD, generation: 7, dead };
      world.record = record;
      world.recordFailure = failure;
      const keeper = await world.keeper();
      await world.clock.advance(MINUTE);
      expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'storage_unavailable' });
      expect(keeper.servable?.generation).toBeGreaterThan(7);
      expect(world.record).toBe(record);

      world.recordFailure = null;
      await keeper.tick();
      await world.clock.advance(20 * MINUTE);
      expect(keeper.state.reason).toBe('refresh_token_spent');
      expect(world.server.sent).toEqual([]);
    },
  );
});
