import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { fingerprintOf } from '../support/tokens.js';
import {
  answered,
  DAY,
  dueWorld,
  gate,
  HOUR,
  loginText,
  MINUTE,
  refreshTokenIn,
  SECOND,
  World,
} from './world.js';

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

  it('leaves a newer login alone that came while the lock was waited for', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    // It stood still: another daemon has the lock by now, and has gone on from a login that somebody made.
    const newer = loginText(
      world.server.issue(world.server.now(), HOUR),
      'of a new login',
      world.clock.now(),
    );
    world.lock.held = false;
    world.lock.ensure = () => {
      world.file.text = newer;
      return Promise.reject(new AuthdError('already_running', 'kept by pid 7'));
    };
    open();
    await keeper.rotate();
    world.lock.held = true;
    world.lock.ensure = () => Promise.resolve('held');
    await world.clock.advance(30 * MINUTE);
    expect(keeper.snapshot()).toMatchObject({ state: { name: 'fresh' }, credential: { generation: 2 } });
    expect([world.file.text, world.server.sent]).toEqual([newer, ['refresh-1']]);
    // What came for the old one waits for it.
    expect([...world.journal.left.values()]).toEqual([expect.stringContaining('refresh-2')]);
  });

  it('is patient where what came is older than what the file has, and cannot be stored', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    // A server that does not rotate.
    const older = world.server.issue(world.server.now() - 2 * HOUR, HOUR);
    world.server.answers = [answered(200, JSON.stringify({ access_token: older }))];
    world.file.failures = [new Error('EIO')];
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'not_stored' });
    expect(world.server.sent).toEqual(['refresh-1']);
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

  it('tells of them once the journal has them for good after all, though the file still cannot be written', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = Array.from({ length: 99 }, () => new Error('EROFS'));
    world.journal.sealFailure = new Error('EIO');
    const keeper = await world.keeper();
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 1 });
    world.journal.sealFailure = null;
    await world.clock.advance(MINUTE);
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    expect(refreshTokenIn(world.file.text)).toBe('refresh-1');
    // Nothing is in memory only: it may go, and its successor goes on from there.
    await keeper.stop();
    expect(keeper.isAtStake).toBe(false);
  });

  it('does not take another answer to the same token for the one that could not be written down', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = Array.from({ length: 4 }, () => new Error('EROFS'));
    world.journal.sealFailure = new Error('EIO');
    await world.keeper();
    const [spent = ''] = world.journal.left.keys();
    world.journal.left.clear();
    const access = world.server.issue(world.clock.now(), HOUR);
    const other = { access_token: access, refresh_token: 'another daemon’s' };
    world.journal.others.set(spent, JSON.stringify(other));
    world.journal.sealFailure = null;
    await world.clock.advance(5 * MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
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
    // Its journal goes: the rename must outlive a loss of power by then.
    expect(world.file.confirmed).toBe(1);
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

  it('tells nobody of them either when the file could not be read in between', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failAfterRename = [new Error('EIO')];
    world.journal.sealFailure = new Error('EROFS');
    const keeper = await world.keeper();
    world.file.isUnreadable = true;
    await keeper.observe();
    expect(keeper.state).toMatchObject({ name: 'corrupt', serving: false });
    world.file.isUnreadable = false;
    await keeper.observe();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 1 });
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('takes them for those of whoever brings them back out of a backup after a logout', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failAfterRename = [new Error('EIO')];
    world.journal.sealFailure = new Error('EROFS');
    const keeper = await world.keeper();
    const { text } = world.file;
    world.file.text = null;
    await keeper.observe();
    expect(keeper.state.name).toBe('logged_out');
    world.file.text = text;
    await keeper.observe();
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 2 });
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
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
