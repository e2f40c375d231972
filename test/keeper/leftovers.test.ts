import { describe, expect, it } from 'vitest';
import { EMPTY_RECORD } from '../../src/core/account-record.js';
import type { Keeper } from '../../src/keeper/keeper.js';
import { fingerprintOf, signJwt } from '../support/tokens.js';
import { jwtOf, leave, ofAccount, SPENT } from './left-behind.js';
import { DAY, gate, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

describe('the journal of a server that does not rotate refresh tokens', () => {
  it.each([{}, { refresh_token: 'refresh-1' }])('puts no older token into the file: %j', async (more) => {
    const world = new World();
    world.logIn(HOUR, 10 * MINUTE);
    const { text } = world.file;
    const now = world.clock.now();
    leave(world, { access_token: world.server.issue(now - 40 * MINUTE, HOUR), ...more }, now - 40 * MINUTE);
    const keeper = await world.keeper();
    await world.clock.advance(MINUTE);
    expect(world.file.text).toBe(text);
    expect(keeper.snapshot()).toMatchObject({ state: { name: 'fresh' }, credential: { generation: 1 } });
    expect(world.journal.left.size).toBe(0);
    expect(world.server.sent).toEqual([]);
  });

  it('puts a newer one there', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const access = world.server.issue(world.clock.now() - MINUTE, HOUR);
    leave(world, { access_token: access }, world.clock.now() - MINUTE);
    const keeper = await world.keeper();
    expect(world.file.text).toContain(access);
    expect(keeper.state.name).toBe('fresh');
    expect(world.journal.left.size).toBe(0);
    expect(world.server.sent).toEqual([]);
  });

  it.each([
    ['puts none into a file that was refreshed after it', MINUTE, false],
    ['puts its own into a file that was refreshed before it', -MINUTE, true],
  ])('%s, where the tokens do not say when they were issued', async (_what, laterMs, isPut) => {
    const world = new World();
    const now = world.clock.now();
    world.file.text = loginText('opaque-in-file', 'refresh-1', now + laterMs);
    leave(world, { access_token: 'opaque-of-journal' }, now);
    await world.keeper();
    expect(world.file.text.includes('opaque-of-journal')).toBe(isPut);
    expect(world.journal.left.size).toBe(0);
  });
});

describe('an answer in the journal whose file is gone', () => {
  /** A world in which the file vanished while the answer was on its way. */
  async function vanished(): Promise<{ world: World; text: string | null }> {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const { text } = world.file;
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    await world.keeper();
    world.file.text = null;
    open();
    await world.clock.advance(5 * SECOND);
    expect(world.journal.left.size).toBe(1);
    return { world, text };
  }

  it('is kept for 30 days, for a file that comes back', async () => {
    const { world, text } = await vanished();
    const successor = await world.keeper();
    await world.clock.advance(29 * DAY);
    await successor.tick();
    await successor.stop();
    world.file.text = text;
    await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.journal.left.size).toBe(0);
    expect(world.server.sent[0]).toBe('refresh-1');
  });

  it('is kept for as long as nobody can read the file that may wait for it', async () => {
    const { world, text } = await vanished();
    const successor = await world.keeper();
    world.file.text = text;
    world.file.isUnreadable = true;
    await successor.observe();
    await world.clock.advance(100 * DAY);
    await successor.tick();
    expect(world.journal.left.size).toBe(1);
    world.file.isUnreadable = false;
    await successor.observe();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).not.toBe('refresh-1');
    expect(world.server.sent.filter((token) => token === 'refresh-1')).toEqual(['refresh-1']);
  });

  it('is kept while another account is there, for a daemon after this one that meets the first one again', async () => {
    const { world, text } = await vanished();
    world.file.text = ofAccount(world, 'another', 'refresh-B');
    const successor = await world.keeper();
    expect(successor.state.name).toBe('fresh');
    await successor.tick();
    await successor.stop();
    expect(world.journal.left.has(SPENT)).toBe(true);
    world.file.text = text;
    await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent[0]).toBe('refresh-1');
    expect(world.journal.left.size).toBe(0);
  });

  it('is dropped once its account has logged in anew', async () => {
    const world = new World();
    const now = world.clock.now();
    leave(world, { access_token: jwtOf(world, 'mine'), refresh_token: 'refresh-2' }, now);
    world.file.text = ofAccount(world, 'mine', 'refresh-new');
    const keeper = await world.keeper();
    expect(world.journal.left.size).toBe(0);
    expect(keeper.state.name).toBe('fresh');
    expect(world.record?.dead).toEqual([expect.objectContaining({ fingerprint: SPENT })]);
  });

  it('is kept where an older copy of the same login is there, for the right one may follow', async () => {
    const world = new World();
    const older = ofAccount(world, 'mine', 'refresh-0');
    await world.clock.advance(MINUTE);
    const right = ofAccount(world, 'mine', 'refresh-1');
    await world.clock.advance(MINUTE);
    world.file.text = older;
    leave(world, { access_token: jwtOf(world, 'mine'), refresh_token: 'refresh-2' });
    const keeper = await world.keeper();
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
    world.file.text = right;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });

  it('is kept where a login of its account is there that is spent itself, whenever that was issued', async () => {
    const world = new World();
    leave(world, { access_token: jwtOf(world, 'mine'), refresh_token: 'refresh-2' });
    await world.clock.advance(MINUTE);
    world.file.text = ofAccount(world, 'mine', 'refresh-0');
    const dead = {
      fingerprint: fingerprintOf('refresh-0'),
      reason: 'refresh_token_spent',
      detail: 'used before',
    } as const;
    world.record = { ...EMPTY_RECORD, generation: 1, dead: [dead] };
    const keeper = await world.keeper();
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
  });

  it('is dropped after that; the token that was spent for it is never sent again', async () => {
    const { world, text } = await vanished();
    const successor = await world.keeper();
    await world.clock.advance(30 * DAY + HOUR);
    await successor.tick();
    await world.clock.advance(0);
    expect(world.journal.left.size).toBe(0);
    world.file.text = text;
    await successor.observe();
    await world.clock.advance(HOUR);
    expect(successor.state).toMatchObject({ name: 'login_required', reason: 'refresh_token_spent' });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('is kept until its absence outlives a loss of power, which would bring it back', async () => {
    const { world } = await vanished();
    const successor = await world.keeper();
    await world.clock.advance(30 * DAY);
    world.file.unconfirmed = [new Error('EIO')];
    await world.clock.advance(HOUR);
    await successor.tick();
    await world.clock.advance(0);
    expect(world.file.unconfirmed).toEqual([]);
    expect(world.journal.left.size).toBe(1);
    await world.clock.advance(HOUR);
    await successor.tick();
    await world.clock.advance(0);
    expect(world.journal.left.size).toBe(0);
  });

  it('is dropped at the start of a daemon that finds it as old', async () => {
    const world = new World();
    world.logIn(HOUR);
    const { text } = world.file;
    world.file.text = null;
    const startedAtMs = world.clock.now() - 31 * DAY;
    leave(world, { access_token: 'long expired', refresh_token: 'refresh-2' }, startedAtMs);
    const keeper = await world.keeper();
    expect(world.journal.left.size).toBe(0);
    world.file.text = text;
    await keeper.observe();
    expect(keeper.state).toMatchObject({ name: 'login_required', reason: 'refresh_token_spent' });
  });

  it.each([
    ['whose tokens say when they were issued', (world: World) => world.server.issue(world.clock.now(), HOUR)],
    ['whose tokens do not say it', () => 'opaque'],
  ])('is kept for 30 days where its rotation began before the clock was set: %s', async (_, issue) => {
    const world = new World();
    world.logIn(HOUR);
    const { text } = world.file;
    world.file.text = null;
    leave(world, { access_token: issue(world), refresh_token: 'refresh-2' }, 5 * SECOND);
    const keeper = await world.keeper();
    await world.clock.advance(29 * DAY);
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
    await world.clock.advance(DAY + HOUR);
    await keeper.tick();
    expect(world.journal.left.size).toBe(0);
    world.file.text = text;
    await keeper.observe();
    expect(keeper.state.reason).toBe('refresh_token_spent');
  });

  it('is kept where a clock that was ahead began its rotation, until it was seen for 30 days', async () => {
    const world = new World();
    world.logIn(HOUR);
    world.file.text = null;
    leave(world, { access_token: 'opaque', refresh_token: 'refresh-2' }, world.clock.now() + 900 * DAY);
    const keeper = await world.keeper();
    await world.clock.advance(29 * DAY);
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
    await world.clock.advance(DAY + HOUR);
    await keeper.tick();
    expect(world.journal.left.size).toBe(0);
  });

  it('is kept however old where its file is there and cannot be written', async () => {
    const world = new World();
    world.logIn(90 * DAY, 88 * DAY);
    world.file.failures = Array.from({ length: 9999 }, () => new Error('EROFS'));
    world.server.lifetimeMs = 90 * DAY;
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('not_stored');
    await world.clock.advance(31 * DAY);
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
    world.file.failures = [];
    await world.clock.advance(HOUR);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });
});

it('a journal that was never begun goes, also where its daemon had the lock after this one had started', async () => {
  const world = new World();
  world.logIn(HOUR);
  world.lock.held = false;
  const keeper = await world.keeper();
  world.journal.neverBegun = 1;
  world.lock.held = true;
  world.takeLockAnew();
  await keeper.claim();
  await keeper.tick();
  await world.clock.advance(0);
  expect(world.journal.neverBegun).toBe(0);
});

describe('a journal that tells only that a token may have been spent', () => {
  /** A world in which an answer was lost. */
  async function uncertain(): Promise<{ world: World; text: string | null; keeper: Keeper }> {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const { text } = world.file;
    world.server.answers = [{ kind: 'lost', message: 'cut off' }];
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('outcome_unknown');
    expect(world.journal.left.size).toBe(1);
    return { world, text, keeper };
  }

  it('is dropped once another login is in the file, and what it told is remembered', async () => {
    const { world, text, keeper } = await uncertain();
    world.logIn(HOUR, 0, 'refresh-other');
    await keeper.observe();
    await keeper.tick();
    expect(world.journal.left.size).toBe(0);
    await keeper.stop();

    world.file.text = text;
    const successor = await world.keeper();
    expect(successor.state).toMatchObject({ name: 'degraded', reason: 'outcome_unknown' });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('stays where daemons with other records may come: it tells them, and ours does not', async () => {
    const { world, keeper } = await uncertain();
    world.journal.isShared = true;
    world.logIn(HOUR, 0, 'refresh-other');
    await keeper.observe();
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
  });

  it('stays where that cannot be written down', async () => {
    const { world, keeper } = await uncertain();
    world.isRecordWritable = false;
    world.logIn(HOUR, 0, 'refresh-other');
    await keeper.observe();
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
  });

  it('stays while the file is away, for it may come back', async () => {
    const { world, keeper } = await uncertain();
    world.file.text = null;
    await keeper.observe();
    await keeper.tick();
    expect(world.journal.left.size).toBe(1);
  });
});

describe('an answer that came to a daemon which had lost the lock by then', () => {
  it('is not dropped by who finds it: the login in the file is the one that waits for it', async () => {
    const world = new World();
    world.file.text = ofAccount(world, 'mine', 'refresh-1', 10 * HOUR);
    world.journal.left.set(SPENT, '');
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('outcome_unknown');
    leave(world, { access_token: jwtOf(world, 'mine', 10 * HOUR), refresh_token: 'refresh-2' });
    await world.clock.advance(HOUR);
    await keeper.tick();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual([]);
  });

  it('is found where both have one state directory, and put into the file', async () => {
    const world = new World();
    world.logIn(10 * HOUR);
    world.journal.left.set(SPENT, '');
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('outcome_unknown');
    const access = world.server.issue(world.clock.now(), 200 * HOUR);
    leave(world, { access_token: access, refresh_token: 'refresh-2' });
    await world.clock.advance(HOUR);
    // At once: a Codex that reads the file would send the token that is spent.
    await keeper.tick();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(keeper.state.reason).toBe('valid');
    expect(world.server.sent).toEqual([]);
    expect(world.journal.left.size).toBe(0);
  });
});

describe('two journals, of which the one brought the token that the other spent', () => {
  const auth = { 'https://api.openai.com/auth': { chatgpt_account_id: 'a' } };

  it.each([
    ['in the order of their rotations', false, 'opaque'],
    ['in the other one', true, 'opaque'],
    ['in the order of their rotations', false, 'dated'],
    ['in the other one', true, 'dated'],
  ])('lead to the newest login, read %s (%s, %s)', async (_order, isReversed, kind) => {
    const world = new World();
    const nowS = world.clock.now() / 1000;
    const access = (n: number): string =>
      kind === 'opaque' ? `opaque-${String(n)}` : signJwt({ iat: nowS + n, exp: nowS + 3600, ...auth });
    const answer = (n: number): string =>
      JSON.stringify({
        access_token: access(n),
        refresh_token: `refresh-${String(n)}`,
        id_token: signJwt({ iat: nowS, ...auth }),
      });
    world.file.text = loginText(access(2), 'refresh-2', world.clock.now());
    const journals = [
      ['refresh-1', answer(2)],
      ['refresh-2', answer(3)],
    ] as const;
    for (const [spent, text] of isReversed ? journals.toReversed() : journals) {
      world.journal.left.set(fingerprintOf(spent), text);
    }
    const keeper = await world.keeper();
    await keeper.tick();
    await world.clock.advance(15 * SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-3');
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual([]);
  });
});
