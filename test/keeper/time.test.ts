import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/core/outcome.js';
import type { Keeper } from '../../src/keeper/keeper.js';
import { signJwt } from '../support/tokens.js';
import { answered, DAY, gate, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

const offline: Answer = { kind: 'never_sent', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' };

/** What a consumer is given now, or why it is given nothing. */
async function given(world: World, keeper: Keeper, waitMs = SECOND): Promise<unknown> {
  const answer = keeper.credential({ minValidMs: 0, waitMs }).catch((error: unknown) => error);
  await world.clock.advance(waitMs);
  return answer;
}

/** Consumers ask once a minute; none is given a token that has expired by the server's clock. */
async function neverExpired(world: World, keeper: Keeper, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await world.clock.advance(MINUTE);
    const servable = keeper.snapshot().credential;
    if (servable !== null) expect(servable.expiresAtMs).toBeGreaterThan(world.server.now());
  }
}

describe('an answer that comes after the machine has slept', () => {
  it('does not make a clock less behind than a token has told: what has expired is not given out', async () => {
    const world = new World();
    world.logIn(HOUR, 55 * MINUTE);
    // By this clock the token has not been issued yet.
    world.setClock(-26 * HOUR);
    const keeper = await world.keeper({ activate: false });
    world.server.answers = [
      () => {
        const answer = world.server.rotation();
        const date = new Date(world.server.now()).toUTCString();
        world.sleep(3 * HOUR);
        if (answer.kind !== 'answered') throw new Error('no answer');
        return { ...answer, date };
      },
    ];
    const before = world.events.length;
    keeper.activate();
    await world.clock.advance(51 * MINUTE);
    const told = world.events.slice(before).filter((event) => event.type === 'credential');
    const ends = told.map(({ credential }) => credential.expiresAtMs ?? Infinity);
    expect(ends.filter((endMs) => endMs <= world.server.now())).toEqual([]);
    await world.clock.advance(10 * SECOND);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-2']);
    expect(keeper.snapshot().credential?.expiresAtMs).toBeGreaterThan(world.server.now());
  });
});

describe('a clock that is ahead by 5 h', () => {
  it('does not make a pause before the next attempt longer once it is known', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.logIn(HOUR);
    const first = world.file.text;
    world.server.answers = [offline];
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('offline');
    // Another account is there for a moment, and its rotation tells the time.
    world.logIn(HOUR);
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-2']);
    expect(keeper.snapshot().clockOffsetMs).toBeCloseTo(-5 * HOUR, -4);
    world.file.text = first;
    await keeper.observe();
    expect(keeper.state.reason).toBe('offline');
    await world.clock.advance(30 * SECOND);
    expect(keeper.state).toMatchObject({ name: 'fresh', serving: true });
  });

  it('costs one request, whose Date tells: tokens that look expired are none', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state).toMatchObject({ name: 'fresh', serving: true });
    expect(keeper.snapshot().clockOffsetMs).toBeCloseTo(-5 * HOUR, -4);
    await world.clock.advance(40 * MINUTE);
    expect(world.server.sent).toHaveLength(1);
    await world.clock.advance(10 * MINUTE);
    expect(world.server.sent).toHaveLength(2);
    expect(world.warnings).toEqual([
      expect.objectContaining({ clock_offset_seconds: expect.closeTo(-18_000, -1) }),
    ]);
  });

  it('is told by a refusal as well: the token in the file is good', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.logIn(HOUR);
    world.server.answers = [answered(503)];
    const keeper = await world.keeper();
    expect(await given(world, keeper)).toMatchObject({ generation: 1 });
    await world.clock.advance(40 * MINUTE);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });

  it('does not drive a server without a Date: it is asked less and less', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.server.isDated = false;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'issued_expired' });
    await world.clock.advance(HOUR);
    expect(world.server.sent.length).toBeLessThan(20);
  });

  it('writes the right time into the file', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.logIn(HOUR);
    await world.keeper();
    const { last_refresh: at } = JSON.parse(world.file.text ?? '') as { last_refresh: string };
    expect(Math.abs(Date.parse(at) - world.server.now())).toBeLessThanOrEqual(SECOND);
  });

  it('is put right by NTP: nothing happens', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    world.setClock(-5 * HOUR);
    await keeper.tick();
    expect(keeper.snapshot().clockOffsetMs).toBe(0);
    await world.clock.advance(40 * MINUTE);
    expect(world.server.sent).toHaveLength(1);
    await neverExpired(world, keeper, 180);
  });

  it('is not trusted after a sleep, at the end of which it may have been put right', async () => {
    const world = new World();
    world.server.aheadMs = -5 * HOUR;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    world.sleep(8 * HOUR);
    world.setClock(-5 * HOUR);
    expect(keeper.snapshot().credential).toBeNull();
    await keeper.tick();
    await neverExpired(world, keeper, 180);
  });
});

describe('a clock that is behind by 5 h', () => {
  it('is told by a token that was issued in its future: it is served for as long as it lives', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(HOUR);
    world.server.answers = Array.from({ length: 99 }, () => offline);
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'fresh', serving: true });
    await neverExpired(world, keeper, 59);
    expect(keeper.state.serving).toBe(true);
    await world.clock.advance(2 * MINUTE);
    expect(keeper.state.serving).toBe(false);
    expect(await given(world, keeper)).toMatchObject({ code: 'unavailable' });
  });

  it('never gives out an expired token after the first rotation', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(10 * DAY, 9 * DAY);
    const keeper = await world.keeper();
    expect(world.server.sent).toHaveLength(1);
    world.server.lifetimeMs = HOUR;
    await keeper.refresh({ waitMs: SECOND });
    await neverExpired(world, keeper, 300);
    expect(world.warnings).toEqual([
      expect.objectContaining({ clock_offset_seconds: expect.closeTo(18_000, -1) }),
    ]);
  });

  it('is put right by NTP: nothing happens', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await keeper.refresh({ waitMs: SECOND });
    world.setClock(5 * HOUR);
    await keeper.tick();
    expect(keeper.snapshot().clockOffsetMs).toBe(0);
    await world.clock.advance(40 * MINUTE);
    expect(world.server.sent).toHaveLength(1);
    await neverExpired(world, keeper, 180);
  });

  it('is put right before the server was ever asked: that costs a request at most', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(HOUR, 10 * MINUTE);
    const keeper = await world.keeper();
    world.setClock(5 * HOUR);
    await keeper.tick();
    await world.clock.advance(30 * MINUTE);
    expect(world.server.sent.length).toBeLessThanOrEqual(1);
    expect(keeper.snapshot()).toMatchObject({ clockOffsetMs: 0, state: { name: 'fresh' } });
  });

  it('is as far behind after a sleep', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await keeper.refresh({ waitMs: SECOND });
    world.sleep(50 * MINUTE);
    await keeper.tick();
    await neverExpired(world, keeper, 180);
    expect(keeper.snapshot().clockOffsetMs).toBeCloseTo(5 * HOUR, -4);
  });

  it('is as far behind where the machine slept while the first answer was on its way', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(HOUR, 10 * MINUTE);
    world.server.answers = [
      () => {
        const answer = { ...world.server.rotation(), date: new Date(world.server.now()).toUTCString() };
        world.sleep(65 * MINUTE);
        return answer;
      },
      ...Array.from({ length: 99 }, () => offline),
    ];
    const keeper = await world.keeper();
    await keeper.refresh({ waitMs: SECOND }).catch(() => undefined);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    await neverExpired(world, keeper, 10);
  });

  it('is not taken for behind where the machine slept while the connection was made', async () => {
    const world = new World();
    world.logIn(HOUR, 10 * MINUTE);
    const { open, opened } = gate();
    world.server.connection = opened.then(() => {
      world.sleep(5 * MINUTE);
    });
    const keeper = await world.keeper();
    const refreshed = keeper.refresh({ waitMs: SECOND });
    await world.clock.advance(0);
    open();
    await refreshed;
    expect(keeper.snapshot()).toMatchObject({ clockOffsetMs: 0, counts: { own: 1, requests: 1 } });
  });

  it('tells a consumer by that clock when asking again is worth it', async () => {
    const world = new World();
    world.server.aheadMs = 5 * HOUR;
    world.logIn(HOUR, 7 * HOUR);
    world.server.answers = [answered(503, '', { retryAfter: '600' })];
    const keeper = await world.keeper();
    expect(await given(world, keeper)).toMatchObject({ retryAtMs: world.clock.now() + 10 * MINUTE - SECOND });
  });
});

describe('a clock that was right and is set back by 3 h', () => {
  it('makes no expired token valid', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = Array.from({ length: 999 }, () => offline);
    const keeper = await world.keeper();
    world.setClock(-3 * HOUR);
    await neverExpired(world, keeper, 60);
    expect(keeper.state.serving).toBe(false);
  });

  it('puts off no attempt that was planned', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [answered(503, '', { retryAfter: '120' })];
    const keeper = await world.keeper();
    world.setClock(-3 * HOUR);
    await keeper.tick();
    await world.clock.advance(119 * SECOND);
    expect(world.server.sent).toHaveLength(1);
    await world.clock.advance(2 * SECOND);
    expect(world.server.sent).toHaveLength(2);
  });

  it('during a request that fails is not taken for what the server’s clock shows', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => {
        world.setClock(-3 * HOUR);
        return answered(503);
      },
    ];
    const keeper = await world.keeper();
    expect(keeper.snapshot().clockOffsetMs).toBeCloseTo(3 * HOUR, -4);
  });

  it('during a rotation confuses neither it nor what is learnt from it', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => {
        world.setClock(-3 * HOUR);
        return world.server.rotation();
      },
    ];
    const keeper = await world.keeper();
    expect(keeper.state.name).toBe('fresh');
    expect(keeper.snapshot().clockOffsetMs).toBeCloseTo(3 * HOUR, -4);
    await neverExpired(world, keeper, 180);
    expect(world.server.sent.length).toBeLessThan(7);
  });
});

describe('a Date that makes no sense', () => {
  it.each([
    ['is no date', 'yesterday'],
    ['is long before the token that came with it was issued', 'Sun, 22 Nov 2026 07:00:00 GMT'],
    ['is after that token expires', 'Mon, 23 Nov 2026 07:00:00 GMT'],
  ])('changes nothing: it %s', async (_why, date) => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [
      () => ({ ...(world.server.rotation() as Extract<Answer, { kind: 'answered' }>), date }),
    ];
    const keeper = await world.keeper();
    expect(keeper.snapshot().clockOffsetMs).toBe(0);
    expect(keeper.state.name).toBe('fresh');
  });

  it('changes nothing either where no token came: it is before the one in the file was issued', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [answered(503, '', { date: 'Thu, 01 Jan 1970 00:00:00 GMT' })];
    const keeper = await world.keeper();
    expect(keeper.snapshot().clockOffsetMs).toBe(0);
  });
});

describe('a token whose times are nonsense', () => {
  it('issued in seventy years costs nothing but what it says itself, and ends with it', async () => {
    const world = new World();
    const { text } = (world.logIn(HOUR), world.file);
    world.server.aheadMs = 70 * 365 * DAY;
    world.logIn(HOUR, 0, 'of-the-future');
    world.server.aheadMs = 0;
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'fresh', serving: true });
    world.file.text = text;
    await keeper.observe();
    expect(keeper.snapshot()).toMatchObject({ clockOffsetMs: 0, state: { name: 'fresh' } });
  });

  it.each([
    ['issued after it expires', 2_000_000_000, 1_900_000_000],
    ['in milliseconds', 1_795_000_000_000, 1_796_000_000_000],
    ['beyond the year 9999', 253_402_300_800, 253_402_304_400],
    ['beyond what a date can be', 1e300, 1e308],
    ['before the year 0', -1e11, -1e11],
    ['that are no numbers', null, 'soon'],
  ])('(%s) neither stops the keeper nor makes it ask in a loop', async (_what, iat, exp) => {
    const world = new World();
    world.file.text = loginText(signJwt({ iat, exp }), 'refresh-1', world.clock.now());
    world.server.answers = Array.from({ length: 99 }, (_, n) =>
      answered(
        200,
        JSON.stringify({ access_token: signJwt({ iat, exp, n }), refresh_token: `next-${String(n)}` }),
      ),
    );
    const keeper = await world.keeper();
    await world.clock.advance(HOUR);
    expect(world.server.sent.length).toBeLessThan(20);
    expect(world.events.length).toBeGreaterThan(0);
    expect(keeper.state.reason).not.toBe('internal_error');
    const { last_refresh: at } = JSON.parse(world.file.text) as { last_refresh: string };
    expect(at).toMatch(/^\d{4}-/);
  });

  it('expiring after more than 24.8 days is rotated when it is due, although no timer reaches so far', async () => {
    const world = new World();
    world.logIn(60 * DAY);
    await world.keeper();
    await world.clock.advance(56 * DAY);
    expect(world.server.sent).toEqual([]);
    await world.clock.advance(2 * DAY);
    expect(world.server.sent).toHaveLength(1);
  });
});
