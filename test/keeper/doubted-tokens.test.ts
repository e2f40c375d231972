import { describe, expect, it } from 'vitest';
import type { Keeper } from '../../src/keeper/keeper.js';
import { fingerprintOf } from '../support/tokens.js';
import { answered, HOUR, loginText, MINUTE, SECOND, World } from './world.js';

const SPENT = fingerprintOf('refresh-1');
const LOST = { kind: 'lost', message: 'cut off' } as const;

describe('a refresh token of which nobody knows whether it was spent', () => {
  /** A login whose token was sent to the right endpoint, without an answer. */
  async function doubted(world: World): Promise<Keeper> {
    world.server.answers = [{ kind: 'lost', message: 'cut off' }];
    const keeper = await world.keeper();
    await world.clock.advance(SECOND);
    expect(keeper.state.reason).toBe('outcome_unknown');
    return keeper;
  }

  it('stays one while another account is there, also where a wrong endpoint had rejected it before', async () => {
    const world = new World();
    world.logIn(10 * HOUR, 8 * HOUR);
    const { text } = world.file;
    world.server.identity = 'wrong';
    world.server.answers = [answered(401)];
    const misconfigured = await world.keeper();
    await world.clock.advance(SECOND);
    expect(misconfigured.state.reason).toBe('refresh_token_rejected');
    await misconfigured.stop();
    world.server.identity = 'as configured';
    const keeper = await doubted(world);
    world.logIn(10 * HOUR, 0, 'refresh-other');
    await keeper.observe();
    await keeper.tick();
    expect(world.journal.left.size).toBe(0);
    await keeper.stop();
    world.file.text = text;
    const sent = world.server.sent.length;
    const successor = await world.keeper();
    await world.clock.advance(SECOND);
    expect(world.server.sent.length).toBe(sent);
    expect(successor.state.reason).toBe('outcome_unknown');
  });

  it('stays one where a wrong endpoint rejects it since', async () => {
    const world = new World();
    world.logIn(10 * HOUR, 8 * HOUR);
    const keeper = await doubted(world);
    world.server.identity = 'wrong';
    world.server.answers = [answered(401)];
    // The last safe moment has come.
    await world.clock.advance(2 * HOUR - 9 * MINUTE);
    expect(keeper.state.reason).toBe('refresh_token_rejected');
    await keeper.stop();
    world.server.identity = 'as configured';
    const sent = world.server.sent.length;
    const successor = await world.keeper();
    expect(successor.state.reason).toBe('outcome_unknown');
    expect(world.server.sent.length).toBe(sent);
  });

  it('stays one, for daemons with other records as well, where a wrong endpoint rejects it', async () => {
    const world = new World();
    world.journal.isShared = true;
    world.logIn(HOUR, 47 * MINUTE);
    world.server.answers = [LOST, answered(401)];
    const keeper = await world.keeper();
    await world.clock.advance(5 * MINUTE);
    expect(keeper.state.reason).toBe('refresh_token_rejected');
    expect([...world.journal.left.keys()]).toEqual([SPENT]);
  });

  it('stays one however many other logins have had their troubles since', async () => {
    const world = new World();
    world.logIn(10 * HOUR, 8 * HOUR);
    const { text } = world.file;
    const keeper = await doubted(world);
    for (let count = 1; count <= 20; count += 1) {
      world.server.answers = [{ kind: 'never_sent', code: 'ECONNREFUSED', message: 'refused' }];
      world.logIn(HOUR, 50 * MINUTE, `refresh-of-${String(count)}`);
      await keeper.observe();
      await world.clock.advance(SECOND);
    }
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(world.server.sent.filter((token) => token === 'refresh-1')).toHaveLength(1);
  });

  it('is none any more once a server that gives no new one has answered it, after a restart either', async () => {
    const world = new World();
    world.logIn(HOUR, 47 * MINUTE);
    const { text } = world.file;
    world.server.answers = [LOST];
    const keeper = await world.keeper();
    await world.clock.advance(SECOND);
    world.logIn(HOUR, 0, 'refresh-other');
    await keeper.observe();
    await keeper.tick();
    expect(world.record?.doubted).toEqual([SPENT]);
    world.file.text = text;
    await keeper.observe();
    world.server.answers = [answerWithoutRotation(world, 3 * MINUTE)];
    await world.clock.advance(5 * MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(world.record?.doubted).toEqual([]);
    await keeper.stop();
    expect((await world.keeper()).state.name).toBe('fresh');
  });
});

describe('an answer of a server that does not rotate, which is older than what Codex has fetched since', () => {
  /** Fails where the file is read as often as only somebody does who goes round in a circle. */
  function countReads(world: World): () => number {
    let count = 0;
    const read = world.file.read.bind(world.file);
    world.file.read = () => {
      count += 1;
      return count > 1000 ? Promise.reject(new Error('it is read again and again')) : read();
    };
    return () => count;
  }

  /** The answer could not be stored, and Codex has refreshed with the same token. */
  async function overtaken(world: World): Promise<Keeper> {
    world.file.failures = [new Error('EROFS')];
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('not_stored');
    await world.clock.advance(SECOND);
    world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), 'refresh-1', world.clock.now());
    await keeper.observe();
    return keeper;
  }

  it('leaves nothing that a later refusal would be measured by', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const reads = countReads(world);
    world.server.answers = [answerWithoutRotation(world), answered(429, '{"error":"slow_down"}')];
    const keeper = await overtaken(world);
    await world.clock.advance(5 * MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(reads()).toBeLessThan(100);
    expect(world.journal.left.size).toBe(0);
  });

  it('is in nobody’s way where only memory has it', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const reads = countReads(world);
    world.server.answers = [answerWithoutRotation(world)];
    world.journal.sealFailure = new Error('EROFS');
    const begin = world.journal.begin.bind(world.journal);
    world.journal.begin = async (...rotation) => ({ ...(await begin(...rotation)), record: () => undefined });
    const keeper = await overtaken(world);
    world.journal.sealFailure = null;
    for (let ticks = 0; ticks < 20; ticks += 1) {
      await keeper.tick();
      await world.clock.advance(15 * SECOND);
    }
    expect(keeper.state.name).toBe('fresh');
    expect(reads()).toBeLessThan(500);
  });
});

function answerWithoutRotation(world: World, laterMs = 0): ReturnType<typeof answered> {
  const access = world.server.issue(world.clock.now() + laterMs, HOUR);
  return answered(200, JSON.stringify({ access_token: access }));
}
