import { describe, expect, it } from 'vitest';
import { EMPTY_RECORD, withDeadToken, withDoubt, type AccountRecord } from '../../src/core/account-record.js';
import { Secret } from '../../src/core/secret.js';
import { dueWorld, HOUR, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

/** A login of which a rotation is due, in a home that is a copy of another daemon's. */
function copy(): { world: World; token: string; fingerprint: string } {
  const world = new World();
  world.logIn(HOUR, 50 * MINUTE);
  const token = String(refreshTokenIn(world.file.text));
  return { world, token, fingerprint: new Secret(token).fingerprint };
}

/** What the daemon of the other home has written down of that token. */
function spent(fingerprint: string): AccountRecord {
  return withDeadToken(EMPTY_RECORD, { fingerprint, reason: 'refresh_token_spent', detail: 'used before' });
}

describe('a home that is a copy of one that another daemon keeps', () => {
  it('never sends the token that was spent there, and serves the access token to its end', async () => {
    const { world, fingerprint } = copy();
    world.otherRecords = [EMPTY_RECORD, spent(fingerprint)];
    const keeper = await world.keeper();
    expect(keeper.snapshot().state).toMatchObject({
      name: 'login_required',
      reason: 'refresh_token_spent',
      serving: true,
    });
    await world.clock.advance(HOUR);
    await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({ code: 'login_required' });
    expect(world.server.sent).toEqual([]);
  });

  it('remembers that, also when the other home is gone', async () => {
    const { world, fingerprint } = copy();
    world.otherRecords = [spent(fingerprint)];
    await (await world.keeper()).stop();
    world.otherRecords = [];
    await world.keeper();
    await world.clock.advance(HOUR);
    expect(world.server.sent).toEqual([]);
  });

  it('sends a token that was rejected there, if that was another endpoint', async () => {
    const { world, token, fingerprint } = copy();
    const dead = { fingerprint, reason: 'refresh_token_rejected', detail: 'invalid_grant' } as const;
    world.otherRecords = [withDeadToken(EMPTY_RECORD, { ...dead, endpoint: 'elsewhere' })];
    await world.keeper();
    expect(world.server.sent).toEqual([token]);
  });

  it('waits to the last safe moment with one that may have been spent there', async () => {
    const { world, token, fingerprint } = copy();
    world.otherRecords = [withDoubt(EMPTY_RECORD, fingerprint)];
    const keeper = await world.keeper();
    expect(keeper.snapshot().state).toMatchObject({ name: 'degraded', reason: 'outcome_unknown' });
    expect(world.server.sent).toEqual([]);
    await world.clock.advance(10 * MINUTE);
    expect(world.server.sent).toEqual([token]);
  });

  it('does not send its token while the other daemon sends the same one', async () => {
    const { world, token, fingerprint } = copy();
    world.sending.add(fingerprint);
    const keeper = await world.keeper();
    expect(keeper.snapshot().state).toMatchObject({ name: 'degraded', reason: 'locked_elsewhere' });
    expect(world.server.sent).toEqual([]);
    world.sending.delete(fingerprint);
    await world.clock.advance(MINUTE);
    expect(world.server.sent).toEqual([token]);
    expect(keeper.snapshot().state.name).toBe('fresh');
  });

  it('keeps the others from sending its own until what came of it is stored', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    expect(world.sending.size).toBe(1);
    open();
    await keeper.rotate();
    expect([world.file.commits.length, world.sending.size]).toEqual([1, 0]);
  });
});
