import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { ClaimedDirectories } from '../../src/keeper/claimed-directories.js';
import type { Keeper } from '../../src/keeper/keeper.js';
import type { Published } from '../../src/keeper/snapshot.js';
import { answered, gate, HOUR, loginText, MINUTE, refreshTokenIn, SECOND, World } from './world.js';

const DIRECTORY = '/srv/home';

function publish(keeper: Keeper, directory = DIRECTORY): Promise<Published> {
  return keeper.publish({ directory, minValidMs: MINUTE, waitMs: 5 * SECOND });
}

async function refused(work: Promise<unknown>): Promise<AuthdError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof AuthdError) return error;
  throw new Error(`this is no refusal: ${String(error)}`);
}

function accessTokenIn(text: string | undefined): unknown {
  return (JSON.parse(text ?? '{}') as { tokens?: { access_token: string } }).tokens?.access_token;
}

function conditionOf(keeper: Keeper): string | undefined {
  return keeper.snapshot().published[0]?.condition.name;
}

function configure(keeper: Keeper, { policy, server }: World, publishIn: readonly string[]): void {
  const baseUrls = { chatgpt: 'https://c.example', platform: 'https://p.example' };
  keeper.configure({ policy, baseUrls, endpoint: server, publishIn, homes: [] });
}

/** A keeper of another daemon, which gets the account's lock when `free` is called. */
async function standBy(world: World): Promise<{ keeper: Keeper; free: () => void }> {
  const refusal = new AuthdError('already_running', 'another daemon keeps it');
  const lock: World['lock'] = { ...world.lock, held: false, refusal, ensure: () => Promise.reject(refusal) };
  world.lock = lock;
  world.published.directories = new ClaimedDirectories();
  const keeper = await world.keeper();
  const free = (): void => {
    lock.ensure = () => {
      const found = lock.held ? 'held' : 'taken';
      lock.held = true;
      lock.refusal = null;
      return Promise.resolve(found);
    };
  };
  return { keeper, free };
}

/** A keeper that has just got the lock, and has not looked yet at what the one before was asked to publish. */
async function takingOver(): Promise<{ world: World; keeper: Keeper }> {
  const world = new World();
  world.logIn(HOUR);
  world.publishIn = [DIRECTORY];
  const before = await world.keeper();
  const { keeper, free } = await standBy(world);
  await publish(before, '/srv/asked-for');
  await before.stop();
  free();
  await world.lock.ensure();
  return { world, keeper };
}

describe('what is published', () => {
  it('is written once for each credential, however often the keeper looks', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    for (let tick = 0; tick < 5; tick += 1) {
      await keeper.tick();
      await world.clock.advance(10 * SECOND);
    }
    expect(world.published.history).toHaveLength(1);
    await keeper.refresh({ waitMs: MINUTE });
    await world.clock.advance(0);
    expect(world.published.history).toHaveLength(2);
    expect(world.published.history.map(refreshTokenIn)).toEqual(['', '']);
  });

  it('is what consumers are told, and the directory hears of it when the account is safe', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    const { accessToken } = await keeper.refresh({ waitMs: MINUTE });
    await world.clock.advance(0);
    expect(accessTokenIn(world.published.files.get(DIRECTORY))).toBe(accessToken.reveal());
    expect(world.file.text).toContain(accessToken.reveal());
  });

  it('is never what is in memory alone: a token that no disk has taken yet', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    const [before] = world.published.history;
    world.journal.sealFailure = new Error('EIO');
    world.file.failures = Array.from({ length: 3 }, () => new Error('EIO'));
    await refused(keeper.refresh({ waitMs: SECOND }));
    await world.clock.advance(0);
    expect(keeper.state.reason).toBe('not_stored');
    expect(world.published.history).toEqual([before]);
  });

  it('is removed at the moment at which it expires, and there again with the next token', async () => {
    const world = new World();
    world.logIn(10 * MINUTE);
    const keeper = await world.keeper();
    await publish(keeper);
    world.server.answers = Array.from({ length: 100 }, () => answered(503));
    await world.clock.advance(10 * MINUTE);
    expect(world.published.files.size).toBe(0);
    expect(conditionOf(keeper)).toBe('withdrawn');
    world.server.answers = [];
    await world.clock.advance(HOUR);
    expect(conditionOf(keeper)).toBe('published');
  });

  it('needs a login that names its account, and an id_token that Codex can read or an access token in its place', async () => {
    const world = new World();
    world.logIn(HOUR);
    const text = world.file.text ?? '';
    world.file.text = text.replace('"account_id": "a"', '"account_id": ""');
    const keeper = await world.keeper();
    expect(await refused(publish(keeper))).toMatchObject({ code: 'unsupported' });
    world.file.text = text.replace('e30.e30.e30', 'broken');
    await keeper.observe();
    await publish(keeper);
    const file = world.published.files.get(DIRECTORY) ?? '';
    expect(file).toContain(`"id_token": "${String(accessTokenIn(file))}"`);
    world.file.text = loginText('opaque', 'refresh', world.clock.now()).replace('e30.e30.e30', 'broken');
    await keeper.observe();
    await world.clock.advance(0);
    expect(conditionOf(keeper)).toBe('withdrawn');
  });
});

describe('what is in the way', () => {
  it('of a directory that hangs: neither a rotation, nor a consumer, nor the end of the daemon', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    world.published.hanging = gate().opened;
    const { generation } = await keeper.refresh({ waitMs: MINUTE });
    expect(generation).toBe(2);
    expect((await keeper.credential({ minValidMs: 0, waitMs: 0 })).generation).toBe(2);
    await keeper.tick();
    const late = refused(publish(keeper, '/srv/other'));
    await world.clock.advance(5 * SECOND);
    expect(await late).toMatchObject({ code: 'unavailable' });
    const stopped = keeper.stop();
    await world.clock.advance(2 * SECOND);
    await stopped;
  });

  it('of a write: it is tried again with each tick, said once, and nobody else notices', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    const failure = new AuthdError('storage', 'no space left', { hint: 'free space' });
    world.published.failures = Array.from({ length: 4 }, () => failure);
    await keeper.refresh({ waitMs: MINUTE });
    await world.clock.advance(0);
    expect(keeper.snapshot().published[0]?.condition).toMatchObject({
      name: 'failing',
      detail: 'no space left',
      hint: 'free space',
      generation: 1,
    });
    expect(keeper.state.name).toBe('fresh');
    while (conditionOf(keeper) === 'failing') {
      await keeper.tick();
      await world.clock.advance(SECOND);
    }
    expect(world.published.failures).toEqual([]);
    expect(world.warnings.filter((each) => 'directory' in each)).toHaveLength(1);
  });

  it('of remembering: nothing is published that a successor would not know of', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    world.published.isForgetful = true;
    expect(await refused(publish(keeper))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('remembered'),
    });
    expect(world.published.history).toEqual([]);
    expect(keeper.snapshot().published).toEqual([]);
  });

  it('of the first write: what was there before stays, also if it could have been replaced', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    const older = world.published.files.get(DIRECTORY) ?? '';
    world.published.files.set('/srv/other', older);
    await keeper.refresh({ waitMs: MINUTE });
    await world.clock.advance(0);
    world.published.failures = [new AuthdError('storage', 'no space left')];
    expect(await refused(publish(keeper, '/srv/other'))).toMatchObject({ code: 'unavailable' });
    expect(world.published.files.get('/srv/other')).toBe(older);
    expect(keeper.snapshot().published).toHaveLength(1);
    expect(world.published.remembered).toHaveLength(1);
  });

  it('of an end that cannot be remembered: it is published on, and says so', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    world.published.isForgetful = true;
    expect(await refused(keeper.unpublish({ directory: DIRECTORY, waitMs: SECOND }))).toMatchObject({
      code: 'unavailable',
    });
    await keeper.tick();
    await world.clock.advance(0);
    expect(conditionOf(keeper)).toBe('published');
    expect(world.published.files.size).toBe(1);
  });
});

describe('a home for each run', () => {
  it('is forgotten when it has gone and there are too many, and none is that is there', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    for (let run = 0; run < 256; run += 1) await publish(keeper, `/srv/run-${String(run)}`);
    expect(await refused(publish(keeper, '/srv/one-more'))).toMatchObject({
      code: 'bad_request',
      hint: expect.stringContaining('--stop'),
    });
    world.published.gone.add('/srv/run-0').add('/srv/run-7');
    await keeper.tick();
    expect(keeper.snapshot().published).toHaveLength(256);
    await publish(keeper, '/srv/one-more');
    const directories = keeper.snapshot().published.map(({ directory }) => directory);
    expect(directories).toHaveLength(255);
    expect(directories).not.toContain('/srv/run-0');
    expect(world.published.remembered).toHaveLength(255);
  });
});

describe('two accounts of one daemon', () => {
  it('are not published into one directory, until one of them is not any more', async () => {
    const [one, two] = [new World(), new World()];
    two.published.directories = one.published.directories;
    one.logIn(HOUR);
    two.logIn(HOUR);
    const [first, second] = [await one.keeper(), await two.keeper()];
    await publish(first, '/link');
    expect(await refused(publish(second, '/real'))).toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('/link'),
    });
    await first.unpublish({ directory: '/link', waitMs: SECOND });
    await publish(second, '/real');
  });
});

describe('an account that is kept no more', () => {
  it.each(['close', 'retire'] as const)(
    'is published nowhere new (%s): the directory is free',
    async (how) => {
      const [one, two] = [new World(), new World()];
      two.published.directories = one.published.directories;
      one.logIn(HOUR);
      two.logIn(HOUR);
      const [first, second] = [await one.keeper(), await two.keeper()];
      await first.stop(how);
      expect(await refused(publish(first))).toMatchObject({ code: 'unavailable' });
      configure(first, one, [DIRECTORY]);
      await one.clock.advance(0);
      expect(one.published.history).toEqual([]);
      expect(one.published.remembered).toEqual([]);
      await publish(second);
    },
  );

  it('leaves what is remembered to whoever keeps it next', async () => {
    const world = new World();
    world.logIn(HOUR);
    const keeper = await world.keeper();
    await publish(keeper);
    await keeper.stop('retire');
    expect(await refused(keeper.unpublish({ directory: DIRECTORY, waitMs: SECOND }))).toMatchObject({
      code: 'unavailable',
    });
    const successor = await world.keeper();
    expect(successor.snapshot().published).toMatchObject([{ directory: DIRECTORY, source: 'request' }]);
    expect(conditionOf(successor)).toBe('published');
  });

  it('is remembered with what the daemon before was asked for, also in the moment of taking over', async () => {
    const { world, keeper } = await takingOver();
    await keeper.stop('retire');
    expect(world.published.files.size).toBe(0);
    expect(world.published.remembered).toMatchObject([{ directory: '/srv/asked-for', source: 'request' }]);
  });
});

describe('the configuration', () => {
  it('publishes from the start, takes over what was asked for, and takes back what it does not name any more', async () => {
    const world = new World();
    world.logIn(HOUR);
    world.published.remembered = [{ directory: DIRECTORY, source: 'request', accountIds: ['a'] }];
    world.publishIn = [DIRECTORY];
    const keeper = await world.keeper();
    expect(keeper.snapshot().published).toMatchObject([{ directory: DIRECTORY, source: 'config' }]);
    expect(conditionOf(keeper)).toBe('published');
    expect(await refused(keeper.unpublish({ directory: DIRECTORY, waitMs: SECOND }))).toMatchObject({
      code: 'bad_request',
    });
    configure(keeper, world, ['/srv/new']);
    await world.clock.advance(0);
    expect([...world.published.files.keys()]).toEqual(['/srv/new']);
    expect(world.published.remembered).toMatchObject([{ directory: '/srv/new', source: 'config' }]);
  });

  it.each([
    ['from the start', []],
    ['since it was changed', [DIRECTORY, '/srv/old']],
  ])(
    'of a daemon that takes over is what holds from then on: it named another directory %s',
    async (_when, first) => {
      const world = new World();
      world.logIn(HOUR);
      world.publishIn = [DIRECTORY, '/srv/old'];
      const before = await world.keeper();
      await publish(before, '/srv/asked-for');
      world.publishIn = first;
      const { keeper, free } = await standBy(world);
      configure(keeper, world, ['/srv/old', '/srv/new']);
      await world.clock.advance(0);
      expect([...world.published.files.keys()]).toEqual([DIRECTORY, '/srv/old', '/srv/asked-for']);
      await before.stop();
      free();
      await keeper.claim();
      await world.clock.advance(0);
      const directories = ['/srv/old', '/srv/asked-for', '/srv/new'];
      expect(keeper.snapshot().published.map(({ directory }) => directory)).toEqual(directories);
      expect([...world.published.files.keys()]).toEqual(directories);
      expect(world.published.remembered.map(({ directory }) => directory)).toEqual(directories);
    },
  );

  it('that changes in the moment of taking over costs nobody what the daemon before was asked for', async () => {
    const { world, keeper } = await takingOver();
    configure(keeper, world, []);
    await world.clock.advance(0);
    expect([...world.published.files.keys()]).toEqual(['/srv/asked-for']);
    expect(world.published.remembered).toMatchObject([{ directory: '/srv/asked-for', source: 'request' }]);
  });

  it('names no more what could not be removed then: whoever asks for it can end it', async () => {
    const world = new World();
    world.logIn(HOUR);
    world.publishIn = [DIRECTORY];
    const keeper = await world.keeper();
    world.published.failures = [new AuthdError('storage', 'read-only')];
    configure(keeper, world, []);
    await world.clock.advance(0);
    expect(keeper.snapshot().published).toHaveLength(1);
    await keeper.unpublish({ directory: DIRECTORY, waitMs: SECOND });
    expect(world.published.files.size).toBe(0);
    expect(world.published.remembered).toEqual([]);
  });
});
