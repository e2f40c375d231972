import { describe, expect, it } from 'vitest';
import type { PublishedCredential } from '../../src/core/credential.js';
import { answered, DAY, gate, HOUR, loginText, MINUTE, SECOND, World } from './world.js';
import type { Keeper } from '../../src/keeper/keeper.js';

const LOST = { kind: 'lost', message: 'ECONNRESET' } as const;

function current(keeper: Keeper): string {
  return keeper.snapshot().login?.fingerprint ?? 'there is none';
}

/** Reports a token as rejected, the current one unless another is named, and lets the clock go on for the wait. */
async function report(
  world: World,
  keeper: Keeper,
  { fingerprint = current(keeper), waitMs = 10 * SECOND }: { fingerprint?: string; waitMs?: number } = {},
): Promise<PublishedCredential | { code: string; retryAtMs?: number; message: string }> {
  const request = { fingerprint, minValidMs: MINUTE, waitMs };
  const answer = keeper.rejected(request).catch((error: unknown) => error);
  await world.clock.advance(waitMs);
  return (await answer) as PublishedCredential;
}

async function fresh(): Promise<{ world: World; keeper: Keeper }> {
  const world = new World();
  world.logIn(10 * DAY);
  return { world, keeper: await world.keeper() };
}

describe('a token that a consumer reports as rejected', () => {
  it('is replaced by one rotation, long before it is due', async () => {
    const { world, keeper } = await fresh();
    const fingerprint = current(keeper);
    const given = await report(world, keeper);
    expect(given).toMatchObject({ generation: 2 });
    expect(current(keeper)).not.toBe(fingerprint);
    expect(world.server.sent).toHaveLength(1);
    expect(keeper.snapshot().counts).toMatchObject({ own: 1, requests: 1, rejections: 1 });
  });

  it('is replaced once for a hundred who report it at once, and all get the same', async () => {
    const { world, keeper } = await fresh();
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const request = { fingerprint: current(keeper), minValidMs: MINUTE, waitMs: 10 * SECOND };
    const asked = Array.from({ length: 100 }, () => keeper.rejected(request));
    await world.clock.advance(SECOND);
    open();
    await world.clock.advance(0);
    expect(new Set(await Promise.all(asked)).size).toBe(1);
    expect(world.server.sent).toHaveLength(1);
    expect(keeper.snapshot().counts.rejections).toBe(100);
    expect(world.warnings).toEqual([{ account: 'default', fingerprint: request.fingerprint }]);
  });

  it('is served on to everybody else while it is being replaced', async () => {
    const { world, keeper } = await fresh();
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const reported = keeper.rejected({
      fingerprint: current(keeper),
      minValidMs: MINUTE,
      waitMs: 10 * SECOND,
    });
    await world.clock.advance(SECOND);
    expect(keeper.flight).not.toBeNull();
    expect(await keeper.credential({ minValidMs: MINUTE, waitMs: 0 })).toMatchObject({ generation: 1 });
    open();
    await world.clock.advance(0);
    expect(await reported).toMatchObject({ generation: 2 });
  });

  it('costs nothing if it is an older one, or was never ours', async () => {
    const { world, keeper } = await fresh();
    const old = current(keeper);
    await report(world, keeper);
    for (const fingerprint of [old, '0123456789ab']) {
      const given = keeper.rejected({ fingerprint, minValidMs: MINUTE, waitMs: 0 });
      expect(await given).toMatchObject({ generation: 2 });
    }
    expect(world.server.sent).toHaveLength(1);
    expect(keeper.snapshot().counts.rejections).toBe(1);
  });

  it('costs nothing if somebody else has renewed it, and no event has told so yet', async () => {
    const { world, keeper } = await fresh();
    const newer = world.server.issue(world.clock.now(), HOUR);
    world.file.text = loginText(newer, 'somebody-else-s', world.clock.now());
    expect(await report(world, keeper)).toMatchObject({ generation: 2 });
    expect(world.server.sent).toEqual([]);
  });

  it('joins the rotation in flight', async () => {
    const { world, keeper } = await fresh();
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const refreshed = keeper.refresh({ waitMs: 10 * SECOND });
    const fingerprint = current(keeper);
    await world.clock.advance(SECOND);
    const reported = keeper.rejected({ fingerprint, minValidMs: MINUTE, waitMs: 10 * SECOND });
    open();
    await world.clock.advance(0);
    expect(await reported).toBe(await refreshed);
    expect(world.server.sent).toHaveLength(1);
  });

  it('comes with a validity that is asked for, as everywhere', async () => {
    const { world, keeper } = await fresh();
    const newer = world.server.issue(world.clock.now(), 20 * SECOND);
    world.server.lifetimeMs = HOUR;
    world.file.text = loginText(newer, 'somebody-else-s', world.clock.now());
    await report(world, keeper, { waitMs: 0 });
    await world.clock.advance(10 * SECOND);
    expect(await report(world, keeper, { fingerprint: '0123456789ab' })).toMatchObject({ generation: 3 });
  });
});

describe('a consumer that reports each new token', () => {
  it('drives the token endpoint once a minute, and is told when to report again', async () => {
    const { world, keeper } = await fresh();
    let told = 0;
    for (let second = 0; second < 600; second += 1) {
      const fingerprint = current(keeper);
      const given = await report(world, keeper, { waitMs: SECOND });
      if (!('code' in given)) continue;
      told += 1;
      expect(given.code).toBe('rate_limited');
      expect(given.retryAtMs).toBeGreaterThan(world.clock.now() - SECOND);
      expect(given.retryAtMs).toBeLessThanOrEqual(world.clock.now() + MINUTE);
      expect(current(keeper)).toBe(fingerprint);
    }
    expect(world.server.sent).toHaveLength(10);
    expect(told).toBe(590);
  });

  it('gets the next one when the minute is over, if it waits for so long', async () => {
    const { world, keeper } = await fresh();
    await report(world, keeper, { waitMs: 0 });
    await world.clock.advance(40 * SECOND);
    expect(await report(world, keeper, { waitMs: 30 * SECOND })).toMatchObject({ generation: 3 });
    expect(world.server.sent).toHaveLength(2);
  });

  it('gets what somebody else fetches while it waits, at once', async () => {
    const { world, keeper } = await fresh();
    await report(world, keeper, { waitMs: 0 });
    await world.clock.advance(40 * SECOND);
    const reported = keeper.rejected({
      fingerprint: current(keeper),
      minValidMs: MINUTE,
      waitMs: 30 * SECOND,
    });
    await world.clock.advance(SECOND);
    world.file.text = loginText(
      world.server.issue(world.clock.now(), HOUR),
      'somebody-else-s',
      world.clock.now(),
    );
    await keeper.observe();
    expect(await reported).toMatchObject({ generation: 3 });
    expect(world.server.sent).toHaveLength(1);
  });
});

describe('a report that nothing can be done about', () => {
  it('says so if the login is dead, though the token is served on', async () => {
    const { world, keeper } = await fresh();
    world.server.answers = [answered(400, JSON.stringify({ error: 'invalid_grant' }))];
    expect(await report(world, keeper)).toMatchObject({
      code: 'login_required',
      reason: 'refresh_token_rejected',
      hint: 'run `codex login`',
    });
    expect(await report(world, keeper)).toMatchObject({ code: 'login_required' });
    expect(world.server.sent).toHaveLength(1);
    expect(await keeper.credential({ minValidMs: 0, waitMs: 0 })).toMatchObject({ generation: 1 });
  });

  it('says when it is worth another try if the server fails, and that server is not asked more for it', async () => {
    const { world, keeper } = await fresh();
    world.server.answers = [answered(429, '', { retryAfter: '300' })];
    const given = await report(world, keeper);
    expect(given).toMatchObject({ code: 'unavailable', reason: 'rate_limited' });
    const retryAtMs = 'code' in given ? given.retryAtMs : undefined;
    for (let second = 0; second < 250; second += 10) {
      expect(await report(world, keeper)).toMatchObject({ code: 'unavailable', retryAtMs });
    }
    expect(world.server.sent).toHaveLength(1);
    expect(await report(world, keeper, { waitMs: MINUTE })).toMatchObject({ generation: 2 });
  });

  it('waits out a short failure of the server', async () => {
    const { world, keeper } = await fresh();
    world.server.answers = [answered(503), answered(503)];
    expect(await report(world, keeper, { waitMs: 25 * SECOND })).toMatchObject({ generation: 2 });
    expect(world.server.sent).toHaveLength(3);
  });

  it.each([
    [{ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1' }, 'this login is an API key'],
    [{ personal_access_token: 'at-1' }, 'this login is a personal access token'],
  ])('says that a key cannot be renewed', async (file, message) => {
    const world = new World();
    world.file.text = JSON.stringify(file);
    const keeper = await world.keeper();
    const given = await report(world, keeper);
    expect(given).toMatchObject({
      code: 'unsupported',
      reason: 'does_not_expire',
      hint: 'check that it is still good, else run `codex login`',
    });
    expect('message' in given && given.message).toContain(message);
    expect(await report(world, keeper, { fingerprint: '0123456789ab' })).toMatchObject({ generation: 1 });
  });

  it('says that nobody is logged in, if that is so', async () => {
    const { world, keeper } = await fresh();
    const fingerprint = current(keeper);
    world.file.text = null;
    expect(await report(world, keeper, { fingerprint })).toMatchObject({ code: 'logged_out' });
    expect(world.server.sent).toEqual([]);
  });

  it('gives up when the wait is over, without stopping the rotation', async () => {
    const { world, keeper } = await fresh();
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    expect(await report(world, keeper)).toMatchObject({
      code: 'unavailable',
      reason: 'rotation_in_flight',
      retryAtMs: undefined,
    });
    open();
    await world.clock.advance(0);
    expect(keeper.snapshot().credential).toMatchObject({ generation: 2 });
  });

  it('lets go of one that goes away, and of nothing else', async () => {
    const { world, keeper } = await fresh();
    const { open, opened } = gate();
    world.server.answers = [() => opened.then(() => world.server.rotation())];
    const leaving = new AbortController();
    const request = { fingerprint: current(keeper), minValidMs: MINUTE, waitMs: 10 * SECOND };
    const left = keeper.rejected({ ...request, signal: leaving.signal }).catch((error: unknown) => error);
    const staying = keeper.rejected(request);
    await world.clock.advance(SECOND);
    leaving.abort();
    expect(await left).toMatchObject({ code: 'unavailable' });
    open();
    await world.clock.advance(0);
    expect(await staying).toMatchObject({ generation: 2 });
  });

  it('is not served by the rejected token that somebody puts back', async () => {
    const { world, keeper } = await fresh();
    const fingerprint = current(keeper);
    const old = world.file.text;
    world.server.answers = [
      () => {
        world.file.text = null;
        return world.server.rotation();
      },
    ];
    const reported = keeper
      .rejected({ fingerprint, minValidMs: MINUTE, waitMs: 10 * SECOND })
      .catch((error: unknown) => error);
    await world.clock.advance(SECOND);
    world.file.text = old;
    await keeper.observe();
    await world.clock.advance(10 * SECOND);
    expect(await reported).not.toMatchObject({ generation: 1 });
  });

  it('starts nothing once the daemon is stopping', async () => {
    const { world, keeper } = await fresh();
    await keeper.stop();
    expect(await report(world, keeper)).toMatchObject({ code: 'unavailable' });
    expect(world.server.sent).toEqual([]);
  });
});

describe('after a rotation of which nobody knows what became', () => {
  async function lost(): Promise<{ world: World; keeper: Keeper }> {
    const { world, keeper } = await fresh();
    world.server.answers = [LOST];
    await keeper.refresh({ waitMs: 0 }).catch(() => undefined);
    await world.clock.advance(DAY);
    expect(world.server.sent).toHaveLength(1);
    return { world, keeper };
  }

  it('a report is what allows to ask again, days before the last safe moment', async () => {
    const { world, keeper } = await lost();
    expect(await report(world, keeper)).toMatchObject({ generation: 2 });
    expect(world.server.sent).toHaveLength(2);
  });

  it('many reports ask less and less while nothing becomes known', async () => {
    const { world, keeper } = await lost();
    world.random = 1;
    world.server.answers = Array.from({ length: 1000 }, () => LOST);
    const before = world.server.sent.length;
    for (let minute = 0; minute < 120; minute += 1) await report(world, keeper, { waitMs: MINUTE });
    const asked = world.server.sent.length - before;
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(20);
  });

  it('without a report it waits for the last safe moment, as ever', async () => {
    const { world } = await lost();
    await world.clock.advance(8 * DAY);
    expect(world.server.sent).toHaveLength(1);
  });
});
