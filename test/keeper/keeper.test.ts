import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../support/tokens.js';
import { answered, DAY, HOUR, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

describe('when a keeper rotates', () => {
  it('lets a fresh token be until a quarter of its life is left, and rotates once then', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'fresh', reason: 'valid', serving: true });
    await world.clock.advance(45 * MINUTE - SECOND);
    expect(world.server.sent).toEqual([]);
    await world.clock.advance(2 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.snapshot()).toMatchObject({
      counts: { own: 1, requests: 1 },
      credential: { generation: 2 },
    });
    expect(world.states).toEqual(['fresh', 'refreshing', 'fresh']);
  });

  it('rotates at once when it starts with an expired token', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const keeper = await world.keeper();
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });

  it('keeps a token of forty days through timers that cannot reach so far', async () => {
    const world = new World();
    world.logIn(40 * DAY);
    await world.keeper();
    await world.clock.advance(36 * DAY);
    expect(world.server.sent).toEqual([]);
    await world.clock.advance(2 * DAY);
    expect(world.server.sent).toHaveLength(1);
  });

  it('notices on the next tick that the machine slept past the due moment', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    world.clock.jump(50 * MINUTE);
    expect(world.server.sent).toEqual([]);
    await keeper.tick();
    await world.clock.advance(0);
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('keeps rotating tokens of 20 s about every 10 s', async () => {
    const world = new World();
    world.logIn(20 * SECOND);
    await world.keeper();
    await world.clock.advance(5 * MINUTE);
    expect(world.server.sent.length).toBeGreaterThanOrEqual(27);
    expect(world.server.sent.length).toBeLessThanOrEqual(30);
    expect(new Set(world.server.sent).size).toBe(world.server.sent.length);
  });
});

describe('what a keeper does when the token endpoint fails', () => {
  it('waits longer and longer, and goes on as before once it is answered', async () => {
    const world = new World();
    world.random = 1 - Number.EPSILON;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    world.server.answers = Array.from({ length: 5 }, () => answered(503));
    const askedAt: number[] = [];
    await world.clock.advance(45 * MINUTE);
    for (let second = 0; second < 5 * 60; second += 1) {
      const before = world.server.sent.length;
      await world.clock.advance(SECOND);
      if (world.server.sent.length > before) askedAt.push(second);
    }
    const gaps = askedAt.slice(1).map((at, index) => at - (askedAt[index] ?? 0));
    expect(gaps).toEqual([5, 10, 20, 40, 80]);
    expect(keeper.state.name).toBe('fresh');
  });

  it('serves a still valid token to its end and then says when asking again is worth it', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = Array.from({ length: 100 }, () => answered(503, '', { retryAfter: '3600' }));
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'server_error', serving: true });
    const given = await keeper.credential({ minValidMs: 30 * MINUTE, waitMs: SECOND });
    expect(given.generation).toBe(1);

    await world.clock.advance(11 * MINUTE);
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'server_error', serving: false });
    await expect(keeper.credential({ minValidMs: 0, waitMs: SECOND })).rejects.toMatchObject({
      code: 'unavailable',
      retryAtMs: keeper.nextRotationAtMs,
    });
    expect(world.server.sent).toHaveLength(1);
  });

  it('never asks again with a refresh token that the server rejected, not even after a restart', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [answered(401, '{"error":{"code":"refresh_token_expired"}}')];
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'login_required', serving: true, hint: 'run `codex login`' });
    await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({ code: 'login_required' });
    await world.clock.advance(HOUR);
    await expect(keeper.credential({ minValidMs: 0, waitMs: SECOND })).rejects.toMatchObject({
      code: 'login_required',
    });
    const successor = await world.keeper();
    await world.clock.advance(DAY);
    expect(successor.state.name).toBe('login_required');
    expect(world.server.sent).toHaveLength(1);
  });

  it('comes back to life with a new login', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [answered(401)];
    const keeper = await world.keeper();
    world.logIn(HOUR);
    await keeper.observe();
    expect(keeper.state).toMatchObject({ name: 'fresh', serving: true });
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
  });

  it('takes over what somebody else wrote when the server says that the token was reused', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => {
        world.logIn(HOUR, 0, 'refresh-of-codex');
        return answered(401, '{"error":{"code":"refresh_token_reused"}}');
      },
    ];
    const keeper = await world.keeper();
    expect(keeper.state.name).toBe('fresh');
    expect(refreshTokenIn(world.file.text)).toBe('refresh-of-codex');
    expect(world.record?.dead).toMatchObject([{ fingerprint: fingerprintOf('refresh-1') }]);
  });

  it('asks again after a lost answer only at the last safe moment', async () => {
    const world = new World();
    world.logIn(HOUR, 45 * MINUTE);
    world.server.answers = [{ kind: 'lost', message: 'connection reset' }];
    const keeper = await world.keeper();
    await world.clock.advance(4 * MINUTE);
    expect(world.server.sent).toHaveLength(1);
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'outcome_unknown', serving: true });
    await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({ reason: 'outcome_unknown' });
    expect((await keeper.credential({ minValidMs: HOUR, waitMs: SECOND })).generation).toBe(1);
    expect(world.server.sent).toHaveLength(1);
    await world.clock.advance(2 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });

  it('does not forget a lost answer when the file is gone for a while and comes back', async () => {
    const world = new World();
    world.logIn(HOUR, 45 * MINUTE);
    world.server.answers = [{ kind: 'lost', message: 'connection reset' }];
    const keeper = await world.keeper();
    const { text } = world.file;
    world.file.text = '{"tok';
    await keeper.observe();
    expect(keeper.state.name).toBe('corrupt');
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(keeper.state.reason).toBe('outcome_unknown');
    expect(world.server.sent).toHaveLength(1);
  });

  it('looks every 15 s whether the network is back, and does not count that as failures of the server', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const offline = { kind: 'never_sent', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' } as const;
    world.server.answers = Array.from({ length: 20 }, () => offline);
    const keeper = await world.keeper();
    await world.clock.advance(5 * MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toHaveLength(21);
  });

  it('does not ask in a loop a server whose answers bring nothing new', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = Array.from({ length: 50 }, (_, n) =>
      answered(200, `{"refresh_token":"next-${String(n)}"}`),
    );
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'no_access_token' });
    expect(refreshTokenIn(world.file.text)).toBe('next-0');
    await world.clock.advance(5 * MINUTE);
    expect(world.server.sent.length).toBeLessThan(10);
  });

  it('does not ask in a loop a server that issues expired tokens', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    world.server.answers = Array.from({ length: 50 }, () => () => world.server.rotation(-HOUR));
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'issued_expired', serving: false });
    await world.clock.advance(5 * MINUTE);
    expect(world.server.sent.length).toBeLessThan(10);
    expect(world.events.filter(({ type }) => type === 'credential')).toEqual([]);
  });
});
