import { describe, expect, it } from 'vitest';
import type { Keeper } from '../../src/keeper/keeper.js';
import { fingerprintOf } from '../support/tokens.js';
import { gate, HOUR, refreshTokenIn, SECOND, World } from './world.js';

const SPENT = fingerprintOf('refresh-1');

/** A keeper whose rotation is due, and waits for the connection until it is `opened`. */
async function connecting({ isRefused = false } = {}): Promise<{
  world: World;
  keeper: Keeper;
  open: () => void;
}> {
  const world = new World();
  world.logIn(10 * HOUR, 8 * HOUR);
  const { open, opened } = gate();
  world.server.connection = opened;
  if (isRefused) {
    const answer = { kind: 'never_sent', code: 'ECONNREFUSED', message: 'refused' } as const;
    world.server.prepare = () => Promise.resolve(() => opened.then(() => answer));
  }
  return { world, keeper: await world.keeper(), open };
}

/** What another machine leaves that has sent the token meanwhile. */
function leaveElsewhere(world: World, isAnswered: boolean): void {
  const access = world.server.issue(world.clock.now(), 10 * HOUR);
  const tokens = { access_token: access, refresh_token: 'refresh-2' };
  world.journal.others.set(SPENT, isAnswered ? JSON.stringify(tokens) : '');
}

describe('a lock that is lost and taken anew while the connection is made', () => {
  it('has been another machine’s, which has an answer: that is stored, and nothing is sent', async () => {
    const { world, keeper, open } = await connecting();
    leaveElsewhere(world, true);
    world.takeLockAnew();
    await keeper.claim();
    open();
    await world.clock.advance(SECOND);
    expect(world.server.sent).toEqual([]);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect([...world.journal.left, ...world.journal.others]).toEqual([]);
  });

  it('has been another machine’s, which had no answer: nothing is sent before the last safe moment', async () => {
    const { world, keeper, open } = await connecting();
    leaveElsewhere(world, false);
    world.takeLockAnew();
    await keeper.claim();
    open();
    await world.clock.advance(SECOND);
    expect(world.server.sent).toEqual([]);
    expect(keeper.state.reason).toBe('outcome_unknown');
    expect(world.journal.others.has(SPENT)).toBe(true);
  });

  it('leaves another machine’s answer where it is, if the connection fails', async () => {
    const { world, keeper, open } = await connecting({ isRefused: true });
    leaveElsewhere(world, true);
    const inFile: unknown[] = [];
    const clear = world.journal.clear.bind(world.journal);
    world.journal.clear = (spent) => {
      inFile.push(refreshTokenIn(world.file.text));
      return clear(spent);
    };
    world.takeLockAnew();
    await keeper.claim();
    open();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    // Not before: it would be nowhere.
    expect(inFile).toEqual(['refresh-2']);
    expect(world.server.sent).toEqual([]);
  });

  it('has been nobody’s: the token is sent after all, and was never in doubt', async () => {
    const { world, keeper, open } = await connecting();
    world.takeLockAnew();
    await keeper.claim();
    expect(keeper.setback).toBeNull();
    open();
    await world.clock.advance(SECOND);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
    expect(world.journal.left.size).toBe(0);
  });
});

describe('a token that is held back', () => {
  it('is no error of the daemon’s, though its journal cannot be removed', async () => {
    const { world, keeper, open } = await connecting();
    world.journal.discardFailure = new Error('EROFS: read-only file system');
    world.lock.confirm = () => {
      world.lock.held = false;
      return Promise.resolve(false);
    };
    open();
    await world.clock.advance(SECOND);
    expect(keeper.state.reason).toBe('locked_elsewhere');
  });
});

describe('what would be lost if the process ended', () => {
  it('is nothing while the connection is made, and an answer from when the token has left', async () => {
    const { world, keeper, open } = await connecting();
    const answer = gate();
    world.server.answers = [() => answer.opened.then(() => world.server.rotation())];
    expect(keeper.flight).not.toBeNull();
    expect(keeper.isAtStake).toBe(false);
    open();
    await world.clock.advance(0);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.isAtStake).toBe(true);
    answer.open();
    await world.clock.advance(SECOND);
    expect(keeper.isAtStake).toBe(false);
  });
});
