import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import type { Keeper } from '../../src/keeper/keeper.js';
import { jwtOf, leave, ofAccount } from './left-behind.js';
import { DAY, gate, HOUR, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

describe('an answer in the journal that gives way to a newer login of its account', () => {
  it('is kept until that login outlives a loss of power, which would bring back the one that it is for', async () => {
    const world = new World();
    const old = ofAccount(world, 'mine', 'refresh-1');
    leave(world, { access_token: jwtOf(world, 'mine'), refresh_token: 'refresh-2' });
    world.file.text = ofAccount(world, 'mine', 'refresh-new');
    world.file.unconfirmed = [new Error('EIO')];
    const keeper = await world.keeper();
    expect(world.journal.left.size).toBe(1);
    world.file.text = old;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual([]);
  });

  it.each<[string, (world: World, keeper: Keeper, own: string) => Promise<void>]>([
    [
      'its own file is put back',
      (world, _keeper, own) => {
        world.file.text = own;
        return Promise.resolve();
      },
    ],
    [
      'its own file is put back, and seen',
      (world, keeper, own) => {
        world.file.text = own;
        return keeper.observe();
      },
    ],
    [
      'its own file is put back, and seen, and cannot be written,',
      (world, keeper, own) => {
        world.file.text = own;
        world.file.refusal = new AuthdError('storage', 'no space left');
        return keeper.observe();
      },
    ],
    [
      'its own file is put back, and cannot be read,',
      (world, keeper, own) => {
        world.file.text = own;
        world.file.isUnreadable = true;
        return keeper.observe();
      },
    ],
    [
      'the file is being written',
      (world) => {
        world.file.isUnsettled = true;
        return Promise.resolve();
      },
    ],
    [
      'another account takes its place, and is seen,',
      (world, keeper) => {
        world.file.text = ofAccount(world, 'other', 'refresh-other');
        return keeper.observe();
      },
    ],
    [
      'the lock is lost',
      (world) => {
        world.lock.held = false;
        return Promise.resolve();
      },
    ],
  ])('is kept where %s while that login is made durable', async (_what, meanwhile) => {
    const world = new World();
    leave(world, { access_token: jwtOf(world, 'mine'), refresh_token: 'refresh-2' });
    const own = ofAccount(world, 'mine', 'refresh-1');
    world.file.text = ofAccount(world, 'other', 'refresh-other');
    const keeper = await world.keeper();
    const { open, opened } = gate();
    world.file.confirming = opened;
    world.file.text = ofAccount(world, 'mine', 'refresh-new');
    const seen = keeper.observe();
    await world.clock.advance(0);
    const ticked = keeper.tick();
    await world.clock.advance(SECOND);
    await meanwhile(world, keeper, own);
    open();
    await Promise.all([seen, ticked]);
    await world.clock.advance(0);
    world.lock.held = true;
    world.file.isUnreadable = false;
    world.file.isUnsettled = false;
    world.file.refusal = null;
    world.file.text = own;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual([]);
  });

  it('is kept for its account while another one, to which somebody switches, is being entered', async () => {
    const world = new World();
    leave(world, { access_token: jwtOf(world, 'mine', DAY), refresh_token: 'refresh-2' });
    const mine = ofAccount(world, 'mine', 'refresh-1', DAY);
    world.file.text = mine;
    world.file.refusal = new AuthdError('storage', 'no space left');
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'not_stored' });
    await world.clock.advance(HOUR);
    const { open, opened } = gate();
    world.saving = opened;
    world.file.text = ofAccount(world, 'other', 'refresh-other', DAY);
    const seen = keeper.observe();
    await world.clock.advance(0);
    const ticked = keeper.tick();
    await world.clock.advance(SECOND);
    open();
    await Promise.all([seen, ticked]);
    await world.clock.advance(SECOND);
    expect(keeper.snapshot().credential?.accountId).toBe('other');
    expect(world.journal.left.size).toBe(1);
    world.file.refusal = null;
    world.file.text = mine;
    await keeper.observe();
    await world.clock.advance(HOUR);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual([]);
  });
});
