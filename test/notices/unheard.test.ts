import { expect, it } from 'vitest';
import { Notices } from '../../src/notices/notices.js';
import { HOUR, MINUTE, World } from '../keeper/world.js';

it.each([
  ['no desktop was there', ['no bus', null], null],
  ['the command failed', [], ['ended with 1', null]],
])('a login that is needed is told of again after a restart where %s', async (_what, shows, hooks) => {
  const world = new World();
  world.logIn(HOUR, 50 * MINUTE);
  world.server.answers = [
    { kind: 'answered', status: 400, body: '{"error":"invalid_grant"}', retryAfter: null, date: null },
  ];
  const keeper = await world.keeper();
  await world.clock.advance(MINUTE);
  expect(keeper.state.name).toBe('login_required');
  let saved: string | null = null;
  let attempts = 0;
  const start = async (): Promise<void> => {
    const notices = new Notices({
      settings: { desktop: hooks === null, onEvent: hooks === null ? null : ['hook'], withToken: false },
      now: () => world.clock.now(),
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      incidentsOf: () => ({
        load: () => Promise.resolve(saved),
        save: (told) => {
          saved = told;
          return Promise.resolve();
        },
      }),
      showNotification: () => Promise.resolve(shows[attempts++] ?? null),
      runHook: () => Promise.resolve(hooks?.[attempts++] ?? null),
    });
    notices.follow([keeper]);
    await world.clock.advance(0);
    await notices.close();
  };
  await start();
  expect({ attempts, saved }).toEqual({ attempts: 1, saved: null });
  await start();
  expect({ attempts, saved }).toMatchObject({ attempts: 2, saved: expect.any(String) as unknown });
  await start();
  expect(attempts).toBe(2);
});
