import { describe, expect, it, vi } from 'vitest';
import { CODEX_BASE_URLS } from '../../src/core/base-urls.js';
import { AuthdError } from '../../src/errors.js';
import { fingerprintOf } from '../support/tokens.js';
import { answered, gate, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

const LOST = { kind: 'lost', message: 'no answer in time' } as const;
const REUSED = answered(401, JSON.stringify({ error: { code: 'refresh_token_reused' } }));

/** A login with 2 h left that is due, and an answer that comes when the gate is opened. */
function dueWorld(answer: (world: World) => ReturnType<World['server']['rotation']>): {
  world: World;
  open: () => void;
} {
  const world = new World();
  world.logIn(10 * HOUR, 8 * HOUR);
  const { open, opened } = gate();
  world.server.answers = [() => opened.then(() => answer(world))];
  return { world, open };
}

describe('while the connection is made', () => {
  it.each([
    [
      'somebody logs in',
      (world: World) => {
        world.logIn(10 * HOUR, 0, 'refresh-theirs');
      },
    ],
    ['the file goes away', (world: World) => (world.file.text = null)],
    ['another machine takes the lock', (world: World) => (world.lock.held = false)],
    [
      'another machine takes the lock, which has not been noticed yet',
      (world: World) =>
        (world.lock.confirm = () => {
          world.lock.held = false;
          return Promise.resolve(false);
        }),
    ],
  ])('%s: nothing is sent, and no journal stays', async (_what, happen) => {
    const world = new World();
    world.logIn(10 * HOUR, 8 * HOUR);
    const { open, opened } = gate();
    world.server.connection = opened;
    await world.keeper();
    happen(world);
    open();
    await world.clock.advance(SECOND);
    expect(world.server.sent).toEqual([]);
    expect(world.journal.left.size).toBe(0);
  });
});

it('what comes after the lock was lost is not stored: it waits in the journal for who has the lock', async () => {
  const { world, open } = dueWorld((it) => it.server.rotation());
  const keeper = await world.keeper();
  world.lock.held = false;
  world.lock.ensure = () => Promise.reject(new AuthdError('already_running', 'kept by pid 7'));
  open();
  await world.clock.advance(HOUR);
  expect(world.file.commits).toEqual([]);
  expect(keeper.state.reason).toBe('not_stored');
  expect(world.journal.left.size).toBe(1);
});

it('begins no journal where the lock was lost while room was made', async () => {
  const world = new World();
  world.logIn(10 * HOUR, 8 * HOUR);
  const stage = world.file.stage.bind(world.file);
  world.file.stage = () => {
    world.lock.held = false;
    return stage();
  };
  const begin = vi.spyOn(world.journal, 'begin');
  const keeper = await world.keeper();
  expect(keeper.state.reason).toBe('locked_elsewhere');
  expect(begin).not.toHaveBeenCalled();
  expect(world.server.sent).toEqual([]);
});

describe('an answer that was lost', () => {
  it.each([
    ['an API key', JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1' })],
    ['a login that has expired', loginText('e30.eyJleHAiOjF9.e30', 'refresh-b', 0)],
  ])('is waited for as long as its own login lives, though %s was in the file by then', async (_, other) => {
    const { world, open } = dueWorld(() => LOST);
    const keeper = await world.keeper();
    const { text } = world.file;
    world.file.text = other;
    await keeper.observe();
    open();
    await world.clock.advance(SECOND);
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(HOUR);
    expect(world.server.sent.filter((token) => token === 'refresh-1')).toHaveLength(1);
    expect(keeper.state.reason).toBe('outcome_unknown');
  });

  it.each([
    ['lost', LOST, 'outcome_unknown'],
    ['a rejection', REUSED, 'refresh_token_rejected'],
  ])('is not forgotten for a failure after it: %s', async (_what, answer, reason) => {
    const { world, open } = dueWorld(() => answer);
    const keeper = await world.keeper();
    const readSettled = world.file.readSettled.bind(world.file);
    world.file.readSettled = () => Promise.reject(new Error('planted'));
    open();
    await world.clock.advance(10 * MINUTE);
    world.file.readSettled = readSettled;
    await world.clock.advance(10 * MINUTE);
    expect(keeper.state.reason).toBe(reason);
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});

describe('a refresh token that may have been spent', () => {
  it('is sent neither on a person’s word nor after a change of the settings, whatever a later attempt met', async () => {
    const { world, open } = dueWorld(() => LOST);
    world.server.answers.push(answered(429, '', { retryAfter: '5' }));
    const keeper = await world.keeper();
    open();
    await world.clock.advance(MINUTE);
    const { fingerprint = '' } = keeper.snapshot().credential?.accessToken ?? {};
    const reported = keeper.rejected({ fingerprint, minValidMs: MINUTE, waitMs: SECOND });
    await expect(reported).rejects.toThrow();
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
    await world.clock.advance(MINUTE);
    await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({ reason: 'rate_limited' });
    keeper.configure({
      policy: world.policy,
      baseUrls: CODEX_BASE_URLS,
      endpoint: world.server,
      publishIn: [],
      homes: [],
    });
    await world.clock.advance(HOUR);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
  });

  it('is not sent where its answer came to a daemon that had lost the lock: that is stored', async () => {
    const { world, open } = dueWorld(() => LOST);
    const keeper = await world.keeper();
    open();
    await world.clock.advance(HOUR);
    const pair = world.server.rotation();
    if (pair.kind === 'answered') world.journal.left.set(fingerprintOf('refresh-1'), pair.body);
    await world.clock.advance(HOUR);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('stays one when another daemon had the lock meanwhile', async () => {
    const { world, open } = dueWorld(() => LOST);
    const keeper = await world.keeper();
    open();
    await world.clock.advance(MINUTE);
    const { ensure } = world.lock;
    world.lock.held = false;
    world.lock.ensure = () => Promise.reject(new AuthdError('already_running', 'kept by pid 7'));
    const { fingerprint = '' } = keeper.snapshot().credential?.accessToken ?? {};
    await keeper.rejected({ fingerprint, minValidMs: MINUTE, waitMs: SECOND }).catch(() => undefined);
    expect(keeper.state.reason).toBe('locked_elsewhere');
    world.lock.held = true;
    world.lock.ensure = vi.fn(ensure).mockResolvedValueOnce('taken');
    await keeper.claim();
    await world.clock.advance(MINUTE);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.reason).toBe('outcome_unknown');
  });

  it('is known to be one from the moment that the journal can be read', async () => {
    const world = new World();
    world.logIn(10 * HOUR, 8 * HOUR);
    world.journal.left.set(fingerprintOf('refresh-1'), '');
    world.journal.readFailure = new Error('EIO');
    const keeper = await world.keeper();
    world.journal.readFailure = null;
    const read = world.file.read.bind(world.file);
    const { open, opened } = gate();
    world.file.read = () => opened.then(read);
    const readSettled = world.file.readSettled.bind(world.file);
    world.file.readSettled = () => read();
    const ticked = keeper.tick();
    await world.clock.advance(0);
    const asked = keeper.refresh({ waitMs: SECOND }).catch((error: unknown) => error);
    open();
    world.file.readSettled = readSettled;
    await ticked;
    await world.clock.advance(SECOND);
    expect(await asked).toMatchObject({ reason: 'outcome_unknown' });
    expect(world.server.sent).toEqual([]);
  });
});

describe('a pair that was stored and then undone by an older Codex', () => {
  it('is told to nobody while it is in memory only, and not given up at the end', async () => {
    const { world, open } = dueWorld((it) => it.server.rotation());
    const { text } = world.file;
    const keeper = await world.keeper();
    open();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    world.file.text = text;
    world.file.refusal = new AuthdError('storage', 'the disk is full');
    await keeper.observe();
    await world.clock.advance(SECOND);
    const told = await keeper.credential({ minValidMs: 0, waitMs: 0 });
    expect(world.file.text).toContain(told.accessToken.reveal());

    let hasStopped = false;
    void keeper.stop().then(() => (hasStopped = true));
    await world.clock.advance(MINUTE);
    expect(hasStopped).toBe(false);
    world.file.refusal = null;
    await world.clock.advance(MINUTE);
    expect(hasStopped).toBe(true);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });
});

describe('a pair that could not be made durable', () => {
  it('is not given up at the end for a file that nobody can read just now', async () => {
    const { world, open } = dueWorld((it) => it.server.rotation());
    world.journal.sealFailure = new Error('EIO');
    const keeper = await world.keeper();
    world.file.isUnreadable = true;
    open();
    await world.clock.advance(20 * SECOND);
    let hasStopped = false;
    void keeper.stop().then(() => (hasStopped = true));
    await world.clock.advance(MINUTE);
    expect(hasStopped).toBe(false);
    world.file.isUnreadable = false;
    await world.clock.advance(MINUTE);
    expect(hasStopped).toBe(true);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });
});

describe('a journal for which the file waits again', () => {
  it('stays, though the file was away when its tokens were to be stored', async () => {
    const { world, open } = dueWorld((it) => it.server.rotation());
    const keeper = await world.keeper();
    const { text } = world.file;
    world.file.text = null;
    open();
    await world.clock.advance(5 * SECOND);
    world.file.refusal = new AuthdError('storage', 'the disk is full');
    world.file.text = text;
    await keeper.observe();
    await keeper.tick();
    expect([...world.journal.left.keys()]).toEqual([fingerprintOf('refresh-1')]);
  });
});

describe('while leftovers are taken up', () => {
  it('a consumer does not get a token sent of which nobody knows whether it was', async () => {
    const world = new World();
    world.logIn(10 * HOUR, 5 * HOUR);
    const keeper = await world.keeper();
    world.journal.left.set(fingerprintOf('refresh-1'), '');
    let isTaken = true;
    world.lock.ensure = () => {
      const found = isTaken ? 'taken' : 'held';
      isTaken = false;
      return Promise.resolve(found);
    };
    void keeper.claim();
    void keeper.credential({ minValidMs: 6 * HOUR, waitMs: 25 * SECOND });
    await world.clock.advance(MINUTE);
    expect(keeper.state.reason).toBe('outcome_unknown');
    expect(world.server.sent).toEqual([]);
  });
});

describe('numbers that cannot be written down', () => {
  it('are not given out again after a restart', async () => {
    const numbers: (number | undefined)[] = [];
    const world = new World();
    world.isRecordWritable = false;
    for (const refreshToken of ['refresh-a', 'refresh-b']) {
      world.logIn(HOUR, 0, refreshToken);
      const keeper = await world.keeper();
      numbers.push(keeper.servable?.generation);
      await keeper.stop();
      await world.clock.advance(2 * SECOND);
    }
    expect(numbers[1]).toBeGreaterThan(numbers[0] ?? Infinity);
  });
});

describe('an account that another daemon kept', () => {
  it('is rotated as soon as that one has let go, and not when its own patience ends', async () => {
    const world = new World();
    world.logIn(10 * HOUR, 8 * HOUR);
    const refusal = new AuthdError('already_running', 'kept by somebody else');
    world.lock.held = false;
    world.lock.ensure = () => Promise.reject(refusal);
    const keeper = await world.keeper();
    await world.clock.advance(20 * MINUTE);
    expect(keeper.state.reason).toBe('locked_elsewhere');
    world.lock.held = true;
    let isNew = true;
    world.lock.ensure = () => {
      const found = isNew ? 'taken' : 'held';
      isNew = false;
      return Promise.resolve(found);
    };
    await keeper.claim();
    await world.clock.advance(SECOND);
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});
