import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { createAskers } from '../../src/server/askers.js';
import { ask, parseProblem, start, type Harness } from './harness.js';
import { createManualClock } from './manual-clock.js';
import { createScriptedKeeper, makeCredential } from './scripted-keeper.js';

const FIRST = makeCredential();
const SECOND = makeCredential({ token: 'token-of-generation-8', generation: 8 });

/** A daemon that rotates for whoever reports its first token. */
async function healing(): Promise<Harness> {
  const harness = await start();
  harness.keeper.onRejected = () => {
    harness.keeper.renew(SECOND);
    return Promise.resolve(SECOND);
  };
  return harness;
}

describe('a process that says who it is', () => {
  it.each(['/v1/token', '/v1/credential'])(
    'and comes back to %s within the interval has seen its token rejected',
    async (path) => {
      const { socketPath, keeper, clock } = await healing();
      await ask(socketPath, `${path}?asker=1-2`);
      clock.advance(20_000);
      const again = await ask(socketPath, `${path}?asker=1-2&wait=4&min_valid=30`);
      expect(again.body).toContain(SECOND.accessToken.reveal());
      expect(keeper.reported).toEqual([
        {
          fingerprint: FIRST.accessToken.fingerprint,
          minValidMs: 30_000,
          waitMs: 4000,
          signal: expect.any(AbortSignal),
        },
      ]);
    },
  );

  it('and comes twice when it starts has not, because some Codex does so; the third time it has', async () => {
    const { socketPath, keeper, clock } = await healing();
    await ask(socketPath, '/v1/token?asker=1-2');
    clock.advance(150);
    await ask(socketPath, '/v1/token?asker=1-2');
    expect(keeper.reported).toEqual([]);
    clock.advance(1200);
    const third = await ask(socketPath, '/v1/token?asker=1-2');
    expect(third.body).toContain(SECOND.accessToken.reveal());
    expect(keeper.reported).toHaveLength(1);
  });

  it('and comes twice on its schedule, each time a while apart, has not', async () => {
    const { socketPath, keeper, clock } = await healing();
    await ask(socketPath, '/v1/token?asker=1-2');
    clock.advance(200);
    await ask(socketPath, '/v1/token?asker=1-2');
    for (let round = 0; round < 3; round += 1) {
      clock.advance(300_000);
      await ask(socketPath, '/v1/token?asker=1-2');
      clock.advance(80_000);
      await ask(socketPath, '/v1/token?asker=1-2');
    }
    expect(keeper.reported).toEqual([]);
  });

  it('and comes back on its schedule has not', async () => {
    const { socketPath, keeper, clock } = await healing();
    for (let visit = 0; visit < 3; visit += 1) {
      await ask(socketPath, '/v1/token?asker=1-2');
      clock.advance(300_000);
    }
    expect(keeper.reported).toEqual([]);
  });

  it('is another one with another start time, and another one to another account', async () => {
    const { socketPath, keeper, keepers } = await healing();
    keepers.set('work', createScriptedKeeper('work'));
    for (const query of ['asker=1-2', 'asker=1-3', 'asker=2-2', 'asker=1-2&account=work']) {
      await ask(socketPath, `/v1/token?${query}`);
    }
    expect(keeper.reported).toEqual([]);
    expect(keepers.get('work')?.reported).toEqual([]);
  });

  it('reports the token that it was given, whatever is current by now', async () => {
    const { socketPath, keeper, clock } = await start();
    await ask(socketPath, '/v1/token?asker=1-2');
    clock.advance(20_000);
    keeper.renew(SECOND);
    await ask(socketPath, '/v1/token?asker=1-2');
    await ask(socketPath, '/v1/token?asker=1-2');
    expect(keeper.reported.map(({ fingerprint }) => fingerprint)).toEqual([
      FIRST.accessToken.fingerprint,
      SECOND.accessToken.fingerprint,
    ]);
  });

  it('is given the same token again if there is no other, because without any it is sure to fail', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.onRejected = () => Promise.reject(new AuthdError('rate_limited', 'too soon'));
    await ask(socketPath, '/v1/token?asker=1-2');
    clock.advance(20_000);
    const again = await ask(socketPath, '/v1/token?asker=1-2&wait=4');
    expect(again).toMatchObject({ status: 200, body: `${FIRST.accessToken.reveal()}\n` });
    expect(keeper.asked.at(-1)).toEqual({ minValidMs: 0, waitMs: 0 });
  });

  it('is given no expired one even then', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.onRejected = () => Promise.reject(new AuthdError('unavailable', 'too late'));
    const short = makeCredential({ expiresAtMs: clock.now() + 20_000 });
    keeper.renew(short);
    await ask(socketPath, '/v1/token?asker=1-2');
    clock.advance(20_000);
    const again = await ask(socketPath, '/v1/token?asker=1-2');
    expect(again.status).toBe(503);
    expect(again.body).not.toContain(short.accessToken.reveal());
  });

  it('hears of a failure of the daemon as everybody does', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.onRejected = () => Promise.reject(new Error('x'));
    await ask(socketPath, '/v1/token?asker=1-2');
    clock.advance(20_000);
    expect((await ask(socketPath, '/v1/token?asker=1-2')).status).toBe(500);
  });

  it('is remembered for nothing if it was given nothing', async () => {
    const { socketPath, keeper } = await start();
    const { onCredential } = keeper;
    keeper.onCredential = () => Promise.reject(new AuthdError('unavailable', 'x'));
    await ask(socketPath, '/v1/token?asker=1-2');
    keeper.onCredential = onCredential;
    await ask(socketPath, '/v1/token?asker=1-2');
    expect(keeper.reported).toEqual([]);
  });

  it.each(['', 'a b', 'x'.repeat(65), 'ü', '1/2', '%00'])('is refused with the name %j', async (asker) => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, `/v1/token?asker=${encodeURIComponent(asker)}`);
    expect(reply.status).toBe(400);
    expect(parseProblem(reply).detail).toContain('asker');
  });

  it('says so to no other path', async () => {
    const { socketPath } = await start();
    expect((await ask(socketPath, '/v1/refresh?asker=1', { method: 'POST' })).status).toBe(400);
  });

  it('does not matter to who does not say who it is', async () => {
    const { socketPath, keeper } = await healing();
    for (let visit = 0; visit < 3; visit += 1) await ask(socketPath, '/v1/token');
    expect(keeper.reported).toEqual([]);
  });
});

describe('the memory for askers', () => {
  it('holds the 4096 who came last, however many come', () => {
    const clock = createManualClock();
    const askers = createAskers(clock);
    for (let asker = 0; asker < 10_000; asker += 1) askers.remember('default', String(asker), 'f');
    clock.advance(20_000);
    const known = Array.from({ length: 10_000 }, (_, asker) => askers.recall('default', String(asker)));
    expect(known.filter((fingerprint) => fingerprint !== undefined)).toHaveLength(4096);
    expect(known.at(-1)).toBe('f');
  });

  it('keeps who comes often, and forgets who stays away', () => {
    const clock = createManualClock();
    const askers = createAskers(clock);
    askers.remember('default', 'often', 'f');
    askers.remember('default', 'once', 'f');
    clock.advance(200_000);
    askers.remember('default', 'often', 'g');
    clock.advance(200_000);
    expect(askers.recall('default', 'often')).toBe('g');
    expect(askers.recall('default', 'once')).toBeUndefined();
  });
});
