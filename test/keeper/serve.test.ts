import { describe, expect, it } from 'vitest';
import type { Keeper } from '../../src/keeper/keeper.js';
import { answered, gate, HOUR, loginText, MINUTE, SECOND, World } from './world.js';

/** Asks, and lets the clock go on until there is an answer. */
async function ask(world: World, keeper: Keeper, minValidMs: number, waitMs = 25 * SECOND): Promise<unknown> {
  const answer = keeper.credential({ minValidMs, waitMs }).catch((error: unknown) => error);
  await world.clock.advance(waitMs);
  return answer;
}

describe('how consumers are served', () => {
  it('gives a hundred of them the same new credential for one request, when the old one has expired', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const keeper = await world.keeper();
    const asked = Array.from({ length: 100 }, () =>
      keeper.credential({ minValidMs: 60_000, waitMs: 25_000 }),
    );
    await world.clock.advance(SECOND);
    open();
    const given = await Promise.all(asked);
    expect(new Set(given).size).toBe(1);
    expect(world.server.sent).toHaveLength(1);
  });

  it('gives the current one at once if it stays valid for long enough', async () => {
    const world = new World();
    world.logIn(HOUR, 40 * MINUTE);
    const keeper = await world.keeper();
    expect(await keeper.credential({ minValidMs: 20 * MINUTE, waitMs: 0 })).toMatchObject({ generation: 1 });
    expect(world.server.sent).toEqual([]);
  });

  it('rotates for one who needs it to stay valid for longer', async () => {
    const world = new World();
    world.logIn(HOUR, 40 * MINUTE);
    const keeper = await world.keeper();
    expect(await ask(world, keeper, 50 * MINUTE)).toMatchObject({ generation: 2 });
  });

  it('lets no consumer that wants the impossible drive the token endpoint', async () => {
    for (const [lifetimeMs, minValidMs, most] of [
      [HOUR, HOUR - SECOND, 21],
      [HOUR, 2 * HOUR, 5],
      [20 * SECOND, 60 * SECOND, 360],
    ] as const) {
      const world = new World();
      world.logIn(lifetimeMs);
      const keeper = await world.keeper();
      for (let asked = 0; asked < 720; asked += 1) await ask(world, keeper, minValidMs, 5 * SECOND);
      expect(world.server.sent.length).toBeLessThanOrEqual(most);
      expect(world.server.sent.length).toBeGreaterThan(1);
    }
  });

  it('gives the newest one where the server issues tokens too short for what is asked', async () => {
    const world = new World();
    world.logIn(20 * SECOND);
    const keeper = await world.keeper();
    for (let round = 0; round < 30; round += 1) {
      expect(await ask(world, keeper, 60 * SECOND, SECOND)).toMatchObject({
        accessToken: expect.anything() as unknown,
      });
    }
    expect(world.server.sent.length).toBeLessThanOrEqual(3);
  });

  it('waits for the new one while that is entered in the books, where the old refresh token is dead by then', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const { open, opened } = gate();
    const readSettled = world.file.readSettled.bind(world.file);
    world.file.readSettled = () => {
      if (world.file.commits.length > 0) world.saving = opened;
      return readSettled();
    };
    const keeper = await world.keeper();
    const asked = keeper.credential({ minValidMs: 0, waitMs: 10 * SECOND });
    await world.clock.advance(0);
    open();
    expect(await asked).toMatchObject({ generation: 2 });
  });

  it('waits for the next attempt rather than failing, if that attempt comes in time', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    world.server.answers = [answered(503)];
    const keeper = await world.keeper();
    expect(await ask(world, keeper, 0)).toMatchObject({ generation: 2 });
  });

  it('fails at once if the next attempt comes too late, and says when it comes', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    world.server.answers = [answered(429, '', { retryAfter: '60' })];
    const keeper = await world.keeper();
    await expect(keeper.credential({ minValidMs: 0, waitMs: 25_000 })).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'rate_limited',
      retryAtMs: world.clock.now() + MINUTE,
    });
  });

  it('gives up when the wait is over, without stopping the rotation', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const keeper = await world.keeper();
    expect(await ask(world, keeper, 0, 3 * SECOND)).toMatchObject({
      code: 'unavailable',
      reason: 'rotation_in_flight',
    });
    open();
    await world.clock.advance(0);
    expect(keeper.snapshot().credential).toMatchObject({ generation: 2 });
  });

  it('gives the still valid one when the wait for a better one is over', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [() => new Promise(() => undefined)];
    const keeper = await world.keeper();
    expect(await ask(world, keeper, HOUR, 3 * SECOND)).toMatchObject({ generation: 1 });
  });

  it('lets go of a consumer that goes away, and of nothing else', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const keeper = await world.keeper();
    const leaving = new AbortController();
    const left = keeper.credential({ minValidMs: 0, waitMs: 25_000, signal: leaving.signal });
    const stayed = keeper.credential({ minValidMs: 0, waitMs: 25_000 });
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'unavailable' });
    open();
    expect(await stayed).toMatchObject({ generation: 2 });
  });

  it.each([
    ['logged_out', null],
    ['logged_out', '{}'],
    ['corrupt', '{"tok'],
    ['corrupt', '\uFEFF{}'],
    ['unsupported', '{"auth_mode":"agentIdentity"}'],
    ['unsupported', '{"auth_mode":"tomorrow"}'],
  ])('has nothing to give when the file says %s: %j', async (code, text) => {
    const world = new World();
    world.file.text = text;
    const keeper = await world.keeper();
    await expect(keeper.credential({ minValidMs: 0, waitMs: 25_000 })).rejects.toMatchObject({ code });
    await expect(keeper.refresh({ waitMs: 25_000 })).rejects.toMatchObject({ code });
  });

  it('gives an API key as it is, for ever, and has nothing to refresh', async () => {
    const world = new World();
    world.file.text = '{"OPENAI_API_KEY":"sk-1"}';
    const keeper = await world.keeper();
    expect(await keeper.credential({ minValidMs: HOUR, waitMs: 0 })).toMatchObject({
      expiresAtMs: null,
      baseUrl: 'https://api.openai.com/v1',
    });
    await expect(keeper.refresh({ waitMs: 0 })).rejects.toMatchObject({ code: 'unsupported' });
    expect(keeper.snapshot()).toMatchObject({ state: { name: 'fresh' }, nextRotationAtMs: null });
  });
});

describe('a refresh on somebody’s word', () => {
  it('rotates a fresh token, and not again within 5 s', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    expect(await keeper.refresh({ waitMs: SECOND })).toMatchObject({ generation: 2 });
    await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({
      code: 'rate_limited',
      retryAtMs: world.clock.now() + 5 * SECOND,
    });
    await world.clock.advance(5 * SECOND);
    expect(await keeper.refresh({ waitMs: SECOND })).toMatchObject({ generation: 3 });
  });

  it('goes on if the file was being written when the rotation began', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    const read = world.file.read.bind(world.file);
    let torn = 1;
    world.file.read = () => {
      torn -= 1;
      return torn >= 0 ? Promise.resolve({ kind: 'unsettled' }) : read();
    };
    expect(await keeper.refresh({ waitMs: MINUTE })).toMatchObject({ generation: 2 });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('joins the rotation that is already under way', async () => {
    const world = new World();
    world.logIn(HOUR, 2 * HOUR);
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const keeper = await world.keeper();
    const both = [keeper.refresh({ waitMs: MINUTE }), keeper.refresh({ waitMs: MINUTE })];
    open();
    expect(await Promise.all(both)).toMatchObject([{ generation: 2 }, { generation: 2 }]);
    expect(world.server.sent).toHaveLength(1);
  });

  it('fails when the server does, although the old token is still served', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    world.server.answers = [answered(503)];
    await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'server_error',
    });
    expect(keeper.snapshot().credential).toMatchObject({ generation: 1 });
  });

  it('is not locked out for longer by a clock that was set back', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await keeper.refresh({ waitMs: SECOND });
    world.clock.jump(-10 * MINUTE);
    await world.clock.advance(5 * SECOND);
    expect(await keeper.refresh({ waitMs: SECOND })).toMatchObject({ generation: 3 });
  });
});

describe('what subscribers hear', () => {
  it('each credential once, in order, each with a greater number, also across restarts', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await world.clock.advance(50 * MINUTE);
    world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), 'of-codex', world.clock.now());
    await keeper.observe();
    await keeper.stop();
    await world.keeper();
    await world.clock.advance(50 * MINUTE);
    const heard = world.events.flatMap((event) =>
      event.type === 'credential' ? [event.credential.generation] : [],
    );
    expect(heard).toEqual([1, 2, 3, 3, 4]);
  });

  it('that the token has expired, when it does and nothing could be done', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [answered(401)];
    await world.keeper();
    await world.clock.advance(10 * MINUTE);
    const heard = world.events.flatMap((event) => (event.type === 'state' ? [event.snapshot.state] : []));
    expect(heard.at(-2)).toMatchObject({ name: 'login_required', serving: true });
    expect(heard.at(-1)).toMatchObject({ name: 'login_required', serving: false });
  });

  it('nothing after they stopped listening', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    const heard: string[] = [];
    const stop = keeper.subscribe(({ type }) => heard.push(type));
    stop();
    await keeper.refresh({ waitMs: SECOND });
    expect(heard).toEqual([]);
  });
});
