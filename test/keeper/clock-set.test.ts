import { describe, expect, it } from 'vitest';
import { HOUR, MINUTE, SECOND, World } from './world.js';

describe('a wall clock that is set while somebody waits', () => {
  it.each([-40 * MINUTE, -3 * HOUR, 3 * HOUR])(
    'changes nothing in how long that takes: by %d ms',
    async (jumpMs) => {
      const world = new World();
      world.logIn(HOUR, 2 * HOUR);
      world.server.answers = [() => new Promise(() => undefined)];
      const keeper = await world.keeper();
      const given = keeper
        .credential({ minValidMs: MINUTE, waitMs: 25 * SECOND })
        .catch((error: unknown) => error);
      await world.clock.advance(5 * SECOND);
      world.clock.jump(jumpMs);
      let answer: unknown = 'still waiting';
      void given.then((found) => (answer = found));
      await world.clock.advance(19 * SECOND);
      expect(answer).toBe('still waiting');
      await world.clock.advance(SECOND);
      expect(answer).toMatchObject({ code: 'unavailable' });
    },
  );

  it('does not free a refresh that was made a moment ago', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await keeper.refresh({ waitMs: SECOND });
    for (const jumpMs of [-10 * MINUTE, HOUR]) {
      world.clock.jump(jumpMs);
      await expect(keeper.refresh({ waitMs: SECOND })).rejects.toMatchObject({ code: 'rate_limited' });
    }
    await world.clock.advance(5 * SECOND);
    await expect(keeper.refresh({ waitMs: SECOND })).resolves.toBeDefined();
  });
});
