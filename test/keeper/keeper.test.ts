import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { fingerprintOf } from '../support/tokens.js';
import { answered, DAY, gate, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

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
    world.server.answers = Array.from({ length: 5 }, () => answered(500));
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

describe('what a keeper does with tokens that cannot be stored', () => {
  it('asks for none when there is no room for them', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.refusal = new AuthdError('storage', 'no space left on device');
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'storage_unavailable', serving: true });
    expect(world.server.sent).toEqual([]);
    world.file.refusal = null;
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
  });

  it('asks for none when another daemon has the lock', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.lock.ensure = () => Promise.reject(new AuthdError('already_running', 'kept by pid 7'));
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({
      name: 'degraded',
      reason: 'locked_elsewhere',
      detail: 'kept by pid 7',
    });
    expect(world.server.sent).toEqual([]);
  });

  it('asks for none when the document has two places for a token', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.text = (world.file.text ?? '').replace('"tokens"', '"tokens": {}, "tokens"');
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'storage_unavailable' });
    expect(world.server.sent).toEqual([]);
  });

  it('serves them from the journal and stores them later, without asking again', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = [new Error('EIO'), new Error('EIO')];
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'not_stored', serving: true });
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    expect(refreshTokenIn(world.file.text)).toBe('refresh-1');
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(world.journal.left.size).toBe(0);
  });

  it('tells nobody of them while they are in memory only', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = [new Error('EIO')];
    world.journal.sealFailure = new Error('EIO');
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'not_stored', serving: true });
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 1 });
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('stores what a daemon before it had received and could not store', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = Array.from({ length: 9 }, () => new Error('EIO'));
    const killed = await world.keeper();
    expect(killed.state.reason).toBe('not_stored');
    world.file.failures = [];
    const successor = await world.keeper();
    expect(successor.state.name).toBe('fresh');
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(await successor.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(world.journal.left.size).toBe(0);
  });

  it('takes a token for one that may be spent when a daemon before it was killed while it waited', async () => {
    const world = new World();
    world.logIn(HOUR, 30 * MINUTE);
    world.journal.left.set(fingerprintOf('refresh-1'), '{"access_tok');
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'outcome_unknown', serving: true });
    await world.clock.advance(19 * MINUTE);
    expect(world.server.sent).toEqual([]);
    await world.clock.advance(2 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });

  it('keeps them through a time in which the file cannot be read', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const { text } = world.file;
    world.server.answers = [
      () => {
        world.file.text = '{"tok';
        return world.server.rotation();
      },
    ];
    const keeper = await world.keeper();
    await world.clock.advance(5 * SECOND);
    expect(keeper.state.name).toBe('corrupt');
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('stores the access token of a server that gives the same refresh token again', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const access = world.server.issue(world.clock.now(), HOUR);
    world.server.answers = [
      answered(200, JSON.stringify({ access_token: access, refresh_token: 'refresh-1' })),
    ];
    const keeper = await world.keeper();
    expect(world.file.text).toContain(access);
    expect(keeper.state.name).toBe('fresh');
    await world.clock.advance(50 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });

  it('leaves no journal behind when the lock is lost before anything was sent', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.lock.held = false;
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('locked_elsewhere');
    expect(world.journal.left.size).toBe(0);
    expect(world.server.sent).toEqual([]);
  });

  it('finds a commit done that failed after its rename', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failAfterRename = [new Error('EIO')];
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('not_stored');
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(keeper.snapshot()).toMatchObject({
      counts: { own: 1, adopted: 0 },
      login: { writtenBy: 'codex-authd' },
    });
    expect(world.journal.left.size).toBe(0);
  });

  it('tells nobody of them before one of the two is durable: the journal, or the rename', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failAfterRename = [new Error('EIO')];
    world.journal.sealFailure = new Error('EROFS');
    const keeper = await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'not_stored', serving: true });
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 1 });
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('tries a last time to store them when it is stopped', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = [new Error('EIO')];
    const keeper = await world.keeper();
    await keeper.stop();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });

  it('drops them when somebody logged in meanwhile', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => {
        world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), 'of-a-new-login', 0);
        return world.server.rotation();
      },
    ];
    const keeper = await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('of-a-new-login');
    expect(keeper.snapshot()).toMatchObject({ state: { name: 'fresh' }, counts: { own: 0, adopted: 1 } });
  });

  it('lets a logout be a logout', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => {
        world.file.text = null;
        return world.server.rotation();
      },
    ];
    const keeper = await world.keeper();
    expect(world.file.text).toBeNull();
    expect(keeper.state).toMatchObject({ name: 'logged_out', reason: 'no_file', serving: false });
  });

  it('keeps what somebody else edited while the request was under way', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => {
        world.file.text = (world.file.text ?? '').replace('"OPENAI_API_KEY": null', '"future": 1e400');
        return world.server.rotation();
      },
    ];
    await world.keeper();
    expect(world.file.text).toContain('"future": 1e400');
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });

  it('finishes a rotation in flight before it stops', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const keeper = await world.keeper();
    let stopped = false;
    const stop = keeper.stop().then(() => {
      stopped = true;
    });
    await world.clock.advance(0);
    expect(stopped).toBe(false);
    open();
    await stop;
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    await world.clock.advance(DAY);
    expect(world.server.sent).toHaveLength(1);
  });
});
