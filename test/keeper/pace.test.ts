import { describe, expect, it } from 'vitest';
import { mayWait } from '../../src/core/plan.js';
import { Pace } from '../../src/keeper/pace.js';
import { DAY, HOUR, loginText, MINUTE, SECOND, World } from './world.js';

/** Accounts of one daemon, each with a login that lives an hour and is `ageMs` old, kept but not active yet. */
async function household(count: number, ageMs: number, gapMs = 2 * SECOND) {
  const first = new World();
  const worlds = [first, ...Array.from({ length: count - 1 }, () => new World(first.clock))];
  const pace = new Pace(gapMs);
  const sentAtMs: number[] = [];
  const keepers = [];
  for (const [index, world] of worlds.entries()) {
    world.pace = pace;
    world.logIn(HOUR, ageMs);
    world.server.answers = [
      () => {
        sentAtMs.push(first.clock.monotonicMs());
        return world.server.rotation();
      },
    ];
    keepers.push(await world.keeper({ activate: false, account: `account-${String(index)}` }));
  }
  return { clock: first.clock, worlds, keepers, sentAtMs };
}

describe('the rotations of several accounts that are due together', () => {
  it('begin one after the other, each with a gap before it', async () => {
    const { clock, worlds, keepers, sentAtMs } = await household(10, 48 * MINUTE);
    for (const keeper of keepers) keeper.activate();
    await clock.advance(SECOND);
    expect(sentAtMs).toHaveLength(1);
    await clock.advance(30 * SECOND);
    expect(sentAtMs).toEqual(Array.from({ length: 10 }, (_, turn) => turn * 2 * SECOND));
    for (const world of worlds) expect(world.server.sent).toHaveLength(1);
  });

  it('begin that way after a long sleep, too', async () => {
    const { clock, worlds, keepers, sentAtMs } = await household(4, 0);
    for (const keeper of keepers) keeper.activate();
    clock.jump(50 * MINUTE);
    for (const world of worlds) world.server.aheadMs = 0;
    for (const keeper of keepers) void keeper.tick();
    await clock.advance(10 * SECOND);
    expect(sentAtMs).toEqual([0, 2, 4, 6].map((seconds) => seconds * SECOND));
  });

  it('wait for nothing where somebody waits for the token', async () => {
    const { clock, keepers, sentAtMs } = await household(10, 48 * MINUTE);
    for (const keeper of keepers) keeper.activate();
    await clock.advance(0);
    const asked = keepers[9]?.credential({ minValidMs: 30 * MINUTE, waitMs: SECOND });
    await clock.advance(0);
    expect(await asked).toMatchObject({ generation: 2 });
    expect(sentAtMs).toEqual([0, 0]);
  });

  it('wait for nothing where the token is about to expire, or has expired', async () => {
    for (const ageMs of [55 * MINUTE, 2 * HOUR]) {
      const { clock, keepers, sentAtMs } = await household(5, ageMs);
      for (const keeper of keepers) keeper.activate();
      await clock.advance(0);
      expect(sentAtMs).toEqual([0, 0, 0, 0, 0]);
    }
  });

  it('stop waiting when the token comes close to its end', async () => {
    const { clock, keepers, sentAtMs } = await household(2, 53 * MINUTE + 50 * SECOND, HOUR);
    for (const keeper of keepers) keeper.activate();
    await clock.advance(9 * SECOND);
    expect(sentAtMs).toHaveLength(1);
    for (let second = 0; second < 5; second += 1) {
      await clock.advance(SECOND);
      for (const keeper of keepers) void keeper.tick();
    }
    expect(sentAtMs).toHaveLength(2);
  });

  it('lose their turn to nobody when another process has rotated meanwhile', async () => {
    const { clock, worlds, keepers, sentAtMs } = await household(3, 48 * MINUTE);
    for (const keeper of keepers) keeper.activate();
    await clock.advance(SECOND);
    const second = worlds[1];
    if (second === undefined) throw new Error('there are three');
    second.file.text = loginText(second.server.issue(clock.now(), HOUR), 'of-another', clock.now());
    await keepers[1]?.observe();
    await clock.advance(SECOND);
    expect(sentAtMs).toEqual([0, 2 * SECOND]);
    expect(second.server.sent).toEqual([]);
  });
});

describe('one account alone', () => {
  it('is never held up, however often it tries', () => {
    const pace = new Pace(HOUR);
    for (const nowMs of [0, 1, SECOND]) expect(pace.take('only', nowMs)).toBe(0);
  });

  it('gets its turn at once where the clock of turns starts late, and no gap is no wait', () => {
    const pace = new Pace(0);
    expect([pace.take('a', 5), pace.take('b', 5), pace.take('a', 5)]).toEqual([0, 0, 0]);
  });
});

describe('a rotation that is due may wait', () => {
  it('until the time comes at which Codex itself would refresh', () => {
    const at = (expiresAtMs: number | null): boolean => mayWait({ expiresAtMs }, 0);
    expect([5, 6].map((minutes) => at(minutes * MINUTE))).toEqual([false, false]);
    expect(at(6 * MINUTE + 1)).toBe(true);
    expect(at(DAY)).toBe(true);
    expect(at(null)).toBe(true);
    expect(at(-1)).toBe(false);
  });
});
