import type { Keeper } from '../../src/keeper/keeper.js';
import { describe, expect, it } from 'vitest';
import { EMPTY_RECORD } from '../../src/core/account-record.js';
import { CODEX_BASE_URLS } from '../../src/core/base-urls.js';
import { AuthdError } from '../../src/errors.js';
import { fingerprintOf, signJwt } from '../support/tokens.js';
import { answered, dueWorld, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

describe('a refresh token that must not be sent', () => {
  it('is a rejected one, also if the file could not be read when the rejection came', async () => {
    const { world } = dueWorld();
    const { text } = world.file;
    world.server.answers = [
      () => {
        world.file.text = null;
        return answered(401, '{"error":{"code":"refresh_token_expired"}}');
      },
    ];
    const keeper = await world.keeper();
    await world.clock.advance(5 * SECOND);
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(HOUR);
    expect(keeper.state).toMatchObject({ name: 'login_required', reason: 'refresh_token_rejected' });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('is a rejected one, also if its journal could not be closed afterwards', async () => {
    const { world } = dueWorld();
    world.server.answers = [answered(401, '{"error":{"code":"refresh_token_expired"}}')];
    world.journal.closeFailure = new Error('EIO');
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ reason: 'refresh_token_rejected' });
    await world.clock.advance(HOUR);
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it.each([
    ['spent', (world: World) => world.server.rotation()],
    ['rejected', () => answered(401, '{"error":{"code":"refresh_token_expired"}}')],
  ])('is one that is %s: its journal stays until the record tells so', async (_, answer) => {
    const { world } = dueWorld();
    world.server.answers = [() => answer(world)];
    world.isRecordWritable = false;
    await world.keeper();
    await world.clock.advance(SECOND);
    expect([...world.journal.left.keys()]).toEqual([fingerprintOf('refresh-1')]);
  });

  it('is one of a login that was rejected for our client id, once that is put right: it lives', async () => {
    const { world } = dueWorld();
    world.server.answers = [answered(401, '{"error":"invalid_client"}')];
    const keeper = await world.keeper();
    expect(keeper.state).toMatchObject({ name: 'degraded', reason: 'refused' });
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
  });

  it('is one that we have spent: an old file that an older Codex puts back is mended from memory', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const old = world.file.text;
    const keeper = await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    world.file.text = old;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });

  it('is one that we have spent: its file is mended as well where another account was there in between', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const old = world.file.text;
    const access = accessTokenOf('a', world.clock.now());
    const answer = { access_token: access, refresh_token: 'refresh-2' };
    world.server.answers = [answered(200, JSON.stringify(answer))];
    const keeper = await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    const other = loginText(accessTokenOf('b', world.clock.now()), 'refresh-B', world.clock.now());
    world.file.text = other.replace('"account_id": "a"', '"account_id": "b"');
    await keeper.observe();
    world.file.text = old;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    expect(world.server.sent).toEqual(['refresh-1']);
    expect(keeper.state.name).toBe('fresh');
  });

  it('is one that we have spent, and its successor too: the file has the newest at once, and none on the way', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const old = world.file.text;
    const keeper = await world.keeper();
    await world.clock.advance(2 * HOUR);
    const newest = refreshTokenIn(world.file.text);
    expect(world.server.sent.length).toBeGreaterThanOrEqual(3);
    world.file.text = old;
    const commits = world.file.commits.length;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(world.file.commits.slice(commits).map(refreshTokenIn)).toEqual([newest]);
    expect(keeper.state.name).toBe('fresh');
    expect(new Set(world.server.sent).size).toBe(world.server.sent.length);
  });

  it('is one that a daemon before us has spent: nothing is sent, and a person is told', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const old = world.file.text;
    const first = await world.keeper();
    await first.stop();
    world.file.text = old;
    const successor = await world.keeper();
    await world.clock.advance(HOUR);
    expect(successor.state).toMatchObject({ name: 'login_required', reason: 'refresh_token_spent' });
    expect(world.server.sent).toEqual(['refresh-1']);
  });

  it('is one of which a daemon before us had no answer, also if its file comes back only later', async () => {
    const world = new World();
    world.logIn(HOUR, 47 * MINUTE);
    const { text } = world.file;
    world.file.text = null;
    world.journal.left.set(fingerprintOf('refresh-1'), '');
    const keeper = await world.keeper();
    expect(keeper.state.name).toBe('logged_out');
    world.file.text = text;
    await keeper.observe();
    await world.clock.advance(MINUTE);
    expect(keeper.state).toMatchObject({ reason: 'outcome_unknown', serving: true });
    expect(world.server.sent).toEqual([]);
  });

  it('is one whose answer was lost, also if another account was there in between', async () => {
    const world = new World();
    world.logIn(HOUR, 47 * MINUTE);
    world.server.answers = [{ kind: 'lost', message: 'connection reset' }];
    const keeper = await world.keeper();
    const first = world.file.text;
    world.file.text = loginText(world.server.issue(world.clock.now(), HOUR), 'refresh-B', world.clock.now());
    await keeper.observe();
    expect(keeper.state.name).toBe('fresh');
    world.file.text = first;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(keeper.state.reason).toBe('outcome_unknown');
    expect(world.server.sent).toEqual(['refresh-1']);
  });
});

/** An access token for an hour that says whose it is. */
function accessTokenOf(accountId: string, nowMs: number): string {
  const auth = { chatgpt_account_id: accountId };
  const iat = nowMs / SECOND;
  return signJwt({ iat, exp: iat + HOUR / SECOND, 'https://api.openai.com/auth': auth });
}

describe('a token of which nobody knows whether it was spent', () => {
  /** A daemon that has had no answer to its first sending, at the moment at which it sends again. */
  async function doubting(): Promise<{ world: World; keeper: Keeper }> {
    const world = new World();
    world.logIn(HOUR, 47 * MINUTE);
    world.server.answers = [{ kind: 'lost', message: 'connection reset' }];
    const keeper = await world.keeper();
    expect(keeper.state.reason).toBe('outcome_unknown');
    expect([...world.journal.left.keys()]).toEqual([fingerprintOf('refresh-1')]);
    return { world, keeper };
  }

  it('stays one where a second sending is withheld at the last moment', async () => {
    const { world } = await doubting();
    world.server.connection = new Promise((resolve) => {
      world.clock.after(5 * MINUTE, () => {
        world.lock.held = false;
        resolve();
      });
    });
    await world.clock.advance(6 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1']);
    expect([...world.journal.left.keys()]).toEqual([fingerprintOf('refresh-1')]);
  });

  it('stays one where a report made the daemon try again, and the disk was full', async () => {
    const world = new World();
    world.logIn(HOUR);
    world.server.answers = [{ kind: 'lost', message: 'connection reset' }];
    const keeper = await world.keeper();
    await keeper.refresh({ waitMs: MINUTE }).catch(() => undefined);
    expect(keeper.state.reason).toBe('outcome_unknown');
    await world.clock.advance(2 * MINUTE);
    world.file.refusal = new AuthdError('storage', 'ENOSPC: no space left on device');
    const { fingerprint = '' } = keeper.snapshot().login ?? {};
    await keeper.rejected({ fingerprint, minValidMs: 0, waitMs: 0 }).catch(() => undefined);
    await world.clock.advance(SECOND);
    expect(keeper.state.reason).toBe('storage_unavailable');
    world.file.refusal = null;
    await world.clock.advance(30 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1']);
    await world.clock.advance(30 * MINUTE);
    expect(world.server.sent.slice(0, 2)).toEqual(['refresh-1', 'refresh-1']);
  });

  it('stays one where a second sending does not reach the server', async () => {
    const { world } = await doubting();
    world.server.answers = [{ kind: 'never_sent', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' }];
    await world.clock.advance(3 * MINUTE + 10 * SECOND);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
    expect([...world.journal.left.keys()]).toEqual([fingerprintOf('refresh-1')]);
    await world.clock.advance(MINUTE);
    expect(world.server.sent).toHaveLength(3);
    expect(world.journal.left.size).toBe(0);
  });

  it('stays one where it is put back into the file, which an older Codex had made older', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    const old = world.file.text;
    const keeper = await world.keeper();
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    world.server.answers = [{ kind: 'lost', message: 'connection reset' }];
    await keeper.refresh({ waitMs: MINUTE }).catch(() => undefined);
    expect(keeper.state.reason).toBe('outcome_unknown');
    world.file.text = old;
    await keeper.observe();
    await world.clock.advance(SECOND);
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
    await world.clock.advance(49 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-2']);
    await world.clock.advance(2 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-2', 'refresh-2']);
  });

  it('stays as patient as the server asked, where the lock was lost for a moment', async () => {
    const { world, keeper } = await doubting();
    const ask = { status: 429, body: '{"error":"slow_down"}', retryAfter: '3600', date: null };
    world.server.answers = [{ kind: 'answered', ...ask }];
    await world.clock.advance(4 * MINUTE);
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
    world.lock.held = false;
    world.lock.ensure = () => {
      const how = world.lock.held ? 'held' : 'taken';
      world.lock.held = true;
      return Promise.resolve(how);
    };
    await keeper.tick();
    await world.clock.advance(50 * MINUTE);
    expect(world.lock.held).toBe(true);
    expect(world.server.sent).toHaveLength(2);
  });
});

describe('a refresh token that was rejected', () => {
  /** A keeper whose refresh token was rejected at another endpoint, or for another client id, than is configured now. */
  async function rejectedElsewhere(): Promise<World> {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.identity = 'a typing error';
    world.server.answers = [answered(401)];
    const keeper = await world.keeper();
    expect(keeper.state.name).toBe('login_required');
    await keeper.stop();
    world.server.identity = 'as configured';
    return world;
  }

  it('is tried again once the endpoint or the client id is another one: it lives', async () => {
    const world = await rejectedElsewhere();
    const successor = await world.keeper();
    expect(successor.state.name).toBe('fresh');
    expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  });

  it('is dead at each of them that rejected it, also when one of them is configured again', async () => {
    const world = await rejectedElsewhere();
    world.server.answers = [answered(401)];
    await (await world.keeper()).stop();
    world.server.identity = 'a typing error';
    await (await world.keeper()).stop();
    world.server.identity = 'as configured';
    const last = await world.keeper();
    await world.clock.advance(HOUR);
    expect(last.state.name).toBe('login_required');
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
  });

  it('is tried again by the daemon that runs, when its configuration is read again', async () => {
    const world = new World();
    world.logIn(HOUR, 50 * MINUTE);
    world.server.answers = [answered(401)];
    const keeper = await world.keeper();
    const settings = {
      policy: world.policy,
      baseUrls: CODEX_BASE_URLS,
      endpoint: world.server,
      publishIn: [],
      homes: [],
    };
    keeper.configure(settings);
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('login_required');
    world.server.identity = 'put right';
    keeper.configure(settings);
    await world.clock.advance(MINUTE);
    expect(keeper.state.name).toBe('fresh');
    expect(world.server.sent).toEqual(['refresh-1', 'refresh-1']);
  });

  it('is dead everywhere if it was spent, or if a daemon of before did not write down where it was rejected', async () => {
    for (const reason of ['refresh_token_spent', 'refresh_token_rejected'] as const) {
      const world = new World();
      world.logIn(HOUR, 50 * MINUTE);
      const dead = [{ fingerprint: fingerprintOf('refresh-1'), reason, detail: 'it was dead' }];
      world.record = { ...EMPTY_RECORD, dead };
      const keeper = await world.keeper();
      expect(keeper.state).toMatchObject({ name: 'login_required', reason });
      expect(world.server.sent).toEqual([]);
    }
  });
});

it('a server that gives a spent token out again is asked no more, and the file is not written over and over', async () => {
  const world = new World();
  world.logIn(HOUR, 50 * MINUTE);
  world.server.answers = [
    () => world.server.rotation(),
    () => {
      const tokens = {
        access_token: world.server.issue(world.clock.now(), HOUR),
        refresh_token: 'refresh-1',
      };
      return answered(200, JSON.stringify(tokens));
    },
  ];
  const keeper = await world.keeper();
  expect(refreshTokenIn(world.file.text)).toBe('refresh-2');
  await world.clock.advance(HOUR - MINUTE);
  expect(world.server.sent).toEqual(['refresh-1', 'refresh-2']);
  expect(refreshTokenIn(world.file.text)).toBe('refresh-1');
  expect(world.file.commits).toHaveLength(2);
  expect(keeper.state).toMatchObject({ reason: 'refresh_token_spent', serving: true });
});
