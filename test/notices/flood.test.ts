import { expect, it } from 'vitest';
import type { Notice } from '../../src/notices/notice.js';
import { Notices } from '../../src/notices/notices.js';
import { HOUR, MINUTE, World, loginText } from '../keeper/world.js';
import { makeDeferred } from '../support/deferred.js';

it('a login that is needed is told of, however many events come while the command is slow', async () => {
  const world = new World();
  world.logIn(HOUR, 50 * MINUTE);
  world.server.answers = [
    { kind: 'answered', status: 400, body: '{"error":"invalid_grant"}', retryAfter: null, date: null },
  ];
  const keeper = await world.keeper({ activate: false });
  const gate = makeDeferred<undefined>();
  const told: Notice['event'][] = [];
  let shown = 0;
  const notices = new Notices({
    settings: { desktop: true, onEvent: ['hook'], withToken: false },
    now: () => world.clock.now(),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    incidentsOf: () => ({ load: () => Promise.resolve(null), save: () => Promise.resolve() }),
    showNotification: () => {
      shown += 1;
      return Promise.resolve(null);
    },
    runHook: async (_command, { event }) => {
      await gate.promise;
      told.push(event);
      return null;
    },
  });
  notices.follow([keeper]);
  keeper.activate();
  await world.clock.advance(MINUTE);
  expect(keeper.state.name).toBe('login_required');
  for (let n = 0; n < 200; n += 1) {
    world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), `another-${String(n)}`, 0);
    await keeper.observe();
  }
  gate.resolve(undefined);
  await world.clock.advance(0);
  await notices.close();
  expect(told.length).toBeLessThan(100);
  expect(told.filter((event) => event === 'login_required')).toHaveLength(1);
  expect(shown).toBe(1);
});
