import { expect, it } from 'vitest';
import type { Answer } from '../../src/core/outcome.js';
import { Secret } from '../../src/core/secret.js';
import { attend } from '../../src/keeper/attend.js';
import { ServerTime } from '../../src/keeper/server-time.js';
import { gate, World } from './world.js';

it('no token leaves when the way to the server was given up while the disk was asked whether it may', async () => {
  const { clock } = new World();
  const { open, opened } = gate();
  const givenUp: Answer = { kind: 'never_sent', code: 'ETIMEDOUT', message: 'the way there took too long' };
  let left = 0;
  let leave: Promise<boolean> = Promise.resolve(true);
  const endpoint = {
    url: 'https://auth.example.com/oauth/token',
    identity: 'as configured',
    prepare: () =>
      Promise.resolve((_token: Secret, _onBytes: unknown, mayLeave: () => Promise<boolean>) => {
        leave = mayLeave();
        return Promise.resolve(givenUp);
      }),
  };
  const attended = attend(endpoint, new ServerTime(clock), () => {
    left += 1;
  });
  const send = await attended.prepare();
  const answer = await send(
    new Secret('refresh-1'),
    () => undefined,
    () => opened.then(() => true),
  );
  expect(answer).toEqual(givenUp);
  open();
  expect(await leave).toBe(false);
  expect(left).toBe(0);
});
