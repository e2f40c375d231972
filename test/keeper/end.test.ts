import { describe, expect, it } from 'vitest';
import { gate, HOUR, SECOND, World } from './world.js';

/** A world in which a rotation is due, and whose answer comes when the gate is opened, to a disk that fails. */
function dueWorld(): { world: World; open: () => void } {
  const world = new World();
  world.logIn(10 * HOUR, 8 * HOUR);
  const { open, opened } = gate();
  world.server.answers = [() => opened.then(() => world.server.rotation())];
  world.journal.sealFailure = new Error('EIO');
  return { world, open };
}

describe('the end of a keeper with tokens in memory only, and a file that nobody can read', () => {
  it('sends no token of a login that somebody has made meanwhile', async () => {
    const { world, open } = dueWorld();
    const keeper = await world.keeper();
    world.file.isUnreadable = true;
    open();
    await world.clock.advance(20 * SECOND);
    const stopped = keeper.stop();
    await world.clock.advance(10 * SECOND);
    world.logIn(10 * HOUR, 0, 'refresh-theirs');
    world.file.isUnreadable = false;
    await world.clock.advance(10 * SECOND);
    await stopped;
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});

it('a token that is dead is not sent, whoever asks for a rotation', async () => {
  const world = new World();
  world.logIn(10 * HOUR, 8 * HOUR);
  const old = world.file.text;
  const before = await world.keeper();
  await world.clock.advance(SECOND);
  await before.stop();
  expect(world.server.sent).toEqual(['refresh-1']);
  world.file.text = old;
  const keeper = await world.keeper();
  await keeper.rotate();
  await world.clock.advance(SECOND);
  expect(world.server.sent).toEqual(['refresh-1']);
  expect(keeper.state.reason).toBe('refresh_token_spent');
});
