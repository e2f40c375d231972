import { describe, expect, it } from 'vitest';
import { Holdings } from '../../src/keeper/holdings.js';
import type { Keeper } from '../../src/keeper/keeper.js';
import { gate, HOUR, loginText, MINUTE, SECOND, World } from './world.js';

interface Household {
  readonly first: World;
  readonly second: World;
  readonly keepers: readonly [Keeper, Keeper];
}

/** Two accounts of one daemon, and the home of the second one is a copy of the first one's. */
async function copied({ activate = true } = {}): Promise<Household> {
  const first = new World();
  const second = new World(first.clock);
  second.holdings = first.holdings;
  first.logIn(HOUR, 48 * MINUTE);
  second.file.text = first.file.text;
  const one = await first.keeper({ activate: false, account: 'one' });
  const two = await second.keeper({ activate: false, account: 'two' });
  if (activate) {
    two.activate();
    one.activate();
    await first.clock.advance(0);
  }
  return { first, second, keepers: [one, two] };
}

describe('a home that is a copy of another account', () => {
  it('has its token sent by the account that had it first, and by nobody else', async () => {
    const { first, second, keepers } = await copied();
    expect([first.server.sent.length, second.server.sent.length]).toEqual([1, 0]);
    const [one, two] = keepers;
    expect(one.snapshot()).toMatchObject({ state: { name: 'fresh' }, credential: { generation: 2 } });
    await two.tick();
    await first.clock.advance(HOUR);
    expect(second.server.sent).toEqual([]);
    await expect(two.credential({ minValidMs: MINUTE, waitMs: SECOND })).rejects.toMatchObject({
      code: 'login_required',
    });
    await expect(two.refresh({ waitMs: SECOND })).rejects.toMatchObject({ code: 'login_required' });
    expect(second.server.sent).toEqual([]);
  });

  it('is served to the end of what it has, and told whose login it is', async () => {
    const { first, keepers } = await copied({ activate: false });
    const [, two] = keepers;
    two.activate();
    await first.clock.advance(0);
    expect(two.snapshot().state).toMatchObject({
      name: 'login_required',
      reason: 'shared_login',
      detail: 'auth.json holds the login of the account `one` as well',
      serving: true,
    });
    expect(await two.credential({ minValidMs: 30 * MINUTE, waitMs: SECOND })).toMatchObject({
      generation: 1,
    });
  });

  it('is not sent while the first one waits for its answer, even if that file is away meanwhile', async () => {
    const { first, second, keepers } = await copied({ activate: false });
    const [one, two] = keepers;
    const { open, opened } = gate();
    first.server.answers = [() => opened.then(() => first.server.rotation())];
    one.activate();
    await first.clock.advance(0);
    first.file.text = null;
    await one.observe();
    two.activate();
    await first.clock.advance(MINUTE);
    expect(second.server.sent).toEqual([]);
    open();
    await first.clock.advance(MINUTE);
    await two.tick();
    await first.clock.advance(MINUTE);
    expect([first.server.sent.length, second.server.sent.length]).toEqual([1, 0]);
  });

  it('does not send what the first one has sent and lost the answer to, though that has logged out', async () => {
    const { first, second, keepers } = await copied({ activate: false });
    second.journal = first.journal;
    const [one] = keepers;
    const two = await second.keeper({ account: 'two' });
    first.server.answers = [{ kind: 'lost', message: 'cut off' }];
    one.activate();
    await first.clock.advance(0);
    expect(one.state.reason).toBe('outcome_unknown');
    first.file.text = null;
    await one.observe();
    await two.tick();
    await first.clock.advance(SECOND);
    expect(second.server.sent).toEqual([]);
    expect(two.state.reason).toBe('outcome_unknown');
  });

  it('knows a spent token after a restart as well, from its own record alone', async () => {
    const { first, second, keepers } = await copied();
    await keepers[1].tick();
    await first.clock.advance(SECOND);
    await Promise.all(keepers.map((keeper) => keeper.stop()));
    second.holdings = new Holdings();
    await second.keeper({ account: 'two' });
    await first.clock.advance(HOUR);
    expect(second.server.sent).toEqual([]);
    expect(second.record?.dead).toMatchObject([{ reason: 'refresh_token_spent' }]);
  });

  it('knows it from the record of the other one, where it was never kept before', async () => {
    const first = new World();
    first.logIn(HOUR, 48 * MINUTE);
    const before = first.file.text;
    const keeper = await first.keeper({ account: 'one' });
    await first.clock.advance(0);
    await keeper.stop();
    const second = new World(first.clock);
    second.file.text = before;
    first.holdings = new Holdings();
    second.holdings = first.holdings;
    const two = await second.keeper({ activate: false, account: 'two' });
    await first.keeper({ activate: false, account: 'one' });
    two.activate();
    await first.clock.advance(HOUR);
    expect(second.server.sent).toEqual([]);
  });
});

describe('a login that two accounts have, and one of them goes on from', () => {
  /** Codex, or somebody who logs in, gives the home another token for the same account. */
  async function goOn(world: World, keeper: Keeper): Promise<void> {
    world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), 'of-codex', world.clock.now());
    await keeper.observe();
  }

  it.each([
    ['the first one', 0],
    ['the copy', 1],
  ])('is sent from the other home only at the last safe moment: %s goes on', async (_, leaver) => {
    const { first, second, keepers } = await copied({ activate: false });
    const worlds = [first, second];
    await goOn(worlds[leaver] ?? first, keepers[leaver] ?? keepers[0]);
    const [rest, restKeeper] = [worlds[1 - leaver] ?? first, keepers[1 - leaver] ?? keepers[0]];
    for (const keeper of keepers) keeper.activate();
    await first.clock.advance(SECOND);
    expect(rest.server.sent).toEqual([]);
    expect(restKeeper.state).toMatchObject({ reason: 'outcome_unknown', serving: true });
    expect(restKeeper.state.detail).toContain('has gone on from it');
    expect(rest.record?.doubted).toHaveLength(1);
    await first.clock.advance(3 * MINUTE);
    expect(rest.server.sent).toHaveLength(1);
    // It is known what became of it, also where the server gives no new one.
    expect(restKeeper.state.name).toBe('fresh');
    await restKeeper.tick();
    expect([restKeeper.state.name, rest.record?.doubted]).toEqual(['fresh', []]);
  });

  it('has nothing to do with another account that somebody logs in to', async () => {
    const { first, second, keepers } = await copied({ activate: false });
    await goOn(first, keepers[0]);
    await keepers[1].tick();
    expect(second.record?.doubted).toHaveLength(1);
    const others = await copied({ activate: false });
    const text = loginText(others.first.server.issue(others.first.clock.now(), HOUR), 'of-b', 0);
    others.first.file.text = text.replace('"account_id": "a"', '"account_id": "b"');
    await others.keepers[0].observe();
    await others.keepers[1].tick();
    expect(others.second.record?.doubted).toEqual([]);
  });
});

describe('a login that has moved', () => {
  it('is rotated in its new home, once it is in the old one no more', async () => {
    const { first, second, keepers } = await copied({ activate: false });
    const [one, two] = keepers;
    first.file.text = null;
    await one.observe();
    one.activate();
    two.activate();
    await first.clock.advance(0);
    expect([first.server.sent.length, second.server.sent.length]).toEqual([0, 1]);
    expect(two.snapshot().state.name).toBe('fresh');
  });

  it('is rotated in its new home, once the old one is kept no more', async () => {
    const { first, second, keepers } = await copied({ activate: false });
    const [one, two] = keepers;
    await one.stop();
    two.activate();
    await first.clock.advance(0);
    expect(second.server.sent).toHaveLength(1);
  });
});
