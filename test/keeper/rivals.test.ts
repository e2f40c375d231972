import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { fingerprintOf } from '../support/tokens.js';
import { dueWorld, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

describe('what happens to the file while a request is under way', () => {
  it('is that it is gone and comes back: the new tokens are stored then, and the old one is not sent again', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    const { text } = world.file;
    world.file.text = null;
    open();
    await world.clock.advance(5 * SECOND);
    expect(keeper.state.name).toBe('logged_out');
    expect(world.file.text).toBeNull();
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('is that it cannot be read for a while: the same', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    world.file.isUnreadable = true;
    open();
    await world.clock.advance(5 * SECOND);
    expect(keeper.state.name).toBe('corrupt');
    world.file.isUnreadable = false;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('is that somebody writes it all the time: the same, and consumers have the new one from the journal', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    world.file.isUnsettled = true;
    open();
    await world.clock.advance(30 * SECOND);
    world.file.isUnsettled = false;
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('is seen while the server takes its time: a logout ends the serving at once', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    expect(keeper.state.name).toBe('refreshing');
    world.file.text = null;
    await keeper.observe();
    expect(keeper.state).toMatchObject({ name: 'logged_out', serving: false });
    await expect(keeper.credential({ minValidMs: 0, waitMs: 0 })).rejects.toMatchObject({
      code: 'logged_out',
    });
    open();
    await world.clock.advance(MINUTE);
    expect(world.file.text).toBeNull();
  });

  it('is that somebody logs in: the new login is served at once, and is not rotated for the old one', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    world.file.text = loginText(
      world.server.issue(world.clock.now(), HOUR),
      'of-a-new-login',
      world.clock.now(),
    );
    await keeper.observe();
    expect(await keeper.credential({ minValidMs: MINUTE, waitMs: 0 })).toMatchObject({ generation: 2 });
    open();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('of-a-new-login');
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });
});

describe('tokens that came for a login which is not in the file', () => {
  it('are kept while another account is there, and stored when it is back', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    const first = world.file.text;
    const other = loginText(
      world.server.issue(world.clock.now() - 50 * MINUTE, HOUR),
      'B-1',
      world.clock.now(),
    );
    world.file.text = other;
    open();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).not.toBe('B-1');
    world.file.text = first;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1', 'B-1']);
  });

  it('are in the journal, for a daemon after this one, if the file was away when they came', async () => {
    const { world, open } = dueWorld();
    const killed = await world.keeper();
    const { text } = world.file;
    world.file.text = null;
    open();
    await world.clock.advance(5 * SECOND);
    expect(killed.state.name).toBe('logged_out');
    const successor = await world.keeper();
    world.file.text = text;
    await successor.observe();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('are not put back once somebody else went on from them', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const old = world.file.text;
    const keeper = await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), 'of-codex', world.clock.now());
    await keeper.observe();
    world.file.text = old;
    await keeper.observe();
    await world.clock.advance(HOUR);
    expect(world.file.text).toBe(old);
    expect(keeper.state).toMatchObject({ name: 'login_required', reason: 'refresh_token_spent' });
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});

describe('a logout that comes right after our commit', () => {
  it('is not undone by what we have just written', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    const clear = world.journal.clear.bind(world.journal);
    world.journal.clear = async (spent) => {
      world.file.text = null;
      await keeper.observe();
      await clear(spent);
    };
    open();
    await world.clock.advance(SECOND);
    expect(keeper.state).toMatchObject({ name: 'logged_out', serving: false });
  });
});

describe('a file that never holds still', () => {
  it('does not keep the daemon from stopping', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    world.file.isUnsettled = true;
    open();
    let isStopped = false;
    void keeper.stop().then(() => {
      isStopped = true;
    });
    await world.clock.advance(5 * MINUTE);
    expect(isStopped).toBe(true);
    expect(world.journal.left.size).toBe(1);
  });
});

describe('what is found out between the decision and the sending', () => {
  it('is that somebody else has logged in: the old token stays where it is', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const begin = world.journal.begin.bind(world.journal);
    world.journal.begin = async (intent) => {
      world.file.text = loginText(
        world.server.issue(world.clock.now(), HOUR),
        'refresh-B',
        world.clock.now(),
      );
      return begin(intent);
    };
    const keeper = await world.keeper();
    expect(world.server.sent).toEqual([]);
    expect(world.journal.left.size).toBe(0);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-B');
    expect(keeper.state.name).toBe('fresh');
  });

  it('is that the lock was another daemon’s, which had an answer: that is stored, and nothing is sent', async () => {
    const world = new World();
    world.logIn(HOUR, 40 * MINUTE);
    world.lock.held = false;
    world.lock.ensure = () => Promise.reject(new AuthdError('already_running', 'kept by pid 7'));
    const keeper = await world.keeper();
    const answer = world.server.rotation();
    if (answer.kind !== 'answered') throw new Error('no answer');
    world.journal.left.set(fingerprintOf('refresh-1'), answer.body);
    world.lock.ensure = () => {
      const how = world.lock.held ? 'held' : 'taken';
      world.lock.held = true;
      return Promise.resolve(how);
    };
    await world.clock.advance(30 * MINUTE);
    expect(world.server.sent).toEqual([]);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state.name).toBe('fresh');
  });

  it('is that the lock was another daemon’s, which had no answer: nothing is sent before the last safe moment', async () => {
    const world = new World();
    world.logIn(HOUR, 40 * MINUTE);
    world.lock.held = false;
    world.lock.ensure = () => Promise.reject(new AuthdError('already_running', 'kept by pid 7'));
    const keeper = await world.keeper();
    world.journal.left.set(fingerprintOf('refresh-1'), '');
    world.lock.ensure = () => {
      const how = world.lock.held ? 'held' : 'taken';
      world.lock.held = true;
      return Promise.resolve(how);
    };
    await world.clock.advance(9 * MINUTE);
    expect(world.server.sent).toEqual([]);
    expect(keeper.state).toMatchObject({ reason: 'outcome_unknown', serving: true });
    await world.clock.advance(2 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });
});

describe('a reload while tokens could not be stored', () => {
  it('does not forget them', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = [new Error('EIO')];
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('not_stored');
    const { policy } = world;
    keeper.configure({
      policy,
      baseUrls: { chatgpt: 'https://c.example', platform: 'https://p.example' },
      endpoint: world.server,
      publishIn: [],
      homes: [],
    });
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});

describe('a storm of events', () => {
  it('is one look, and one more', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    let reads = 0;
    const read = world.file.readSettled.bind(world.file);
    world.file.readSettled = () => {
      reads += 1;
      return read();
    };
    await Promise.all(Array.from({ length: 100 }, () => keeper.observe()));
    expect(reads).toBeLessThanOrEqual(2);
  });
});

describe('the number of a credential', () => {
  it('is another one when the same token is served with something else beside it', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await keeper.stop();
    world.file.text = (world.file.text ?? '').replace('"account_id": "a"', '"account_id": "b"');
    const successor = await world.keeper();
    expect(successor.snapshot().credential).toMatchObject({ accountId: 'b', generation: 2 });
    expect(world.record?.dead.map(({ fingerprint }) => fingerprint)).not.toContain(
      fingerprintOf('refresh-1'),
    );
  });
});

describe('a keeper that has not been activated', () => {
  it('knows the file and sends nothing', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const keeper = await world.keeper({ activate: false });
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'expired', serving: false });
    await world.clock.advance(HOUR);
    expect(world.server.sent).toEqual([]);
    keeper.activate();
    await world.clock.advance(0);
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});

describe('what is counted as adopted', () => {
  it('is a credential that somebody else wrote, and not one that went away and came back', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    const { text } = world.file;
    for (const other of [null, '{"tok', text]) {
      world.file.text = other;
      await Promise.all([keeper.observe(), world.clock.advance(5 * SECOND)]);
    }
    expect(keeper.state.name).toBe('fresh');
    expect(keeper.snapshot().counts).toMatchObject({ own: 0, adopted: 0 });
    world.logIn(HOUR, 0, 'of-codex');
    await keeper.observe();
    expect(keeper.snapshot().counts).toMatchObject({ own: 0, adopted: 1 });
  });

  it('is one credential, where somebody else rotated while we were asking', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    world.logIn(HOUR, 0, 'of-codex');
    await keeper.observe();
    open();
    await world.clock.advance(MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('of-codex');
    expect(keeper.snapshot().counts).toEqual({ own: 0, adopted: 1, requests: 1, failures: 0, rejections: 0 });
  });

  it('is nothing that we wrote, also if it took two attempts to store it', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.file.failures = [new Error('EIO')];
    const keeper = await world.keeper();
    await world.clock.advance(MINUTE);
    expect(keeper.snapshot().counts).toEqual({ own: 1, adopted: 0, requests: 1, failures: 0, rejections: 0 });
  });
});
