import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { ask, start, until } from './harness.js';
import { credentialOf, readEvents, stateOf } from './event-reader.js';
import { createScriptedKeeper, makeCredential, makeState, type ScriptedKeeper } from './scripted-keeper.js';

/** Far more than the buffers of both sides and the kernel hold, in events of 50 kB. */
const FLOOD = 100;
const LARGE = 'x'.repeat(50_000);

describe('GET /v1/events', () => {
  it('says state and credential at once, in full', async () => {
    const { socketPath } = await start();
    const reader = await readEvents(socketPath);
    const [state, credential] = await reader.received(2);
    expect(reader.response.statusCode).toBe(200);
    expect(reader.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      server: 'codex-authd/1.2.3',
    });
    expect(reader.retries).toEqual([1000]);
    const status = JSON.parse((await ask(socketPath, '/v1/status')).body) as { accounts: unknown[] };
    expect(stateOf(state)).toEqual(status.accounts[0]);
    expect(state?.id).toBeUndefined();
    expect(credentialOf(credential)).toEqual(JSON.parse((await ask(socketPath, '/v1/credential')).body));
    expect(credential?.id).toBe('7');
  });

  it('says the state alone where no credential is served', async () => {
    const { socketPath, keeper } = await start();
    keeper.set({ state: makeState('no_file'), credential: null, login: null });
    const reader = await readEvents(socketPath);
    await reader.received(1);
    keeper.emit({ type: 'state', snapshot: keeper.snapshot() });
    const [first, second] = await reader.received(2);
    expect(stateOf(first)).toMatchObject({ state: 'logged_out', serving: false });
    expect(stateOf(second)).toMatchObject({ state: 'logged_out', serving: false });
  });

  it('is put into words once for all who listen, and for each account apart', async () => {
    const { socketPath, keeper, keepers } = await start();
    const other = createScriptedKeeper('other', () => keeper.now());
    keepers.set('other', other);
    const readers = await Promise.all(Array.from({ length: 5 }, () => readEvents(socketPath)));
    const apart = await readEvents(socketPath, '?account=other');
    await Promise.all([...readers, apart].map((reader) => reader.received(2)));
    const reveal = vi.spyOn(Secret.prototype, 'reveal');
    onTestFinished(() => {
      reveal.mockRestore();
    });
    const renewed = makeCredential({ token: 'new', generation: 8 });
    keeper.renew(renewed);
    other.renew(renewed);
    for (const reader of readers) {
      const third = (await reader.received(3))[2];
      expect(credentialOf(third)).toMatchObject({ account: 'default', access_token: 'new' });
    }
    expect(credentialOf((await apart.received(3))[2])).toMatchObject({
      account: 'other',
      access_token: 'new',
    });
    expect(reveal).toHaveBeenCalledTimes(2);
  });

  it('passes every event on, whole, with the generation as the id of a credential', async () => {
    const { socketPath, keeper } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    keeper.set({ state: makeState('rotation_in_flight', { serving: true }) });
    keeper.emit({ type: 'state', snapshot: keeper.snapshot() });
    expect(stateOf((await reader.received(3))[2])).toMatchObject({ state: 'refreshing', serving: true });
    keeper.renew(makeCredential({ token: 'new', generation: 8 }));
    const fourth = (await reader.received(4))[3];
    expect(credentialOf(fourth)).toMatchObject({ access_token: 'new', generation: 8 });
    expect(fourth?.id).toBe('8');
  });

  it('keeps accounts apart', async () => {
    const { socketPath, keeper, keepers } = await start();
    const work = createScriptedKeeper('work');
    keepers.set('work', work);
    const reader = await readEvents(socketPath, '?account=work');
    await reader.received(2);
    keeper.renew(makeCredential({ token: 'of-default', generation: 99 }));
    work.renew(makeCredential({ token: 'of-work', generation: 8 }));
    const [, , third] = await reader.received(3);
    expect(credentialOf(third)).toMatchObject({ account: 'work', access_token: 'of-work' });
  });

  it('reaches everybody who listens', async () => {
    const { socketPath, keeper } = await start();
    const readers = await Promise.all(Array.from({ length: 50 }, () => readEvents(socketPath)));
    await Promise.all(readers.map((reader) => reader.received(2)));
    keeper.renew(makeCredential({ token: 'new', generation: 8 }));
    const all = await Promise.all(readers.map((reader) => reader.received(3)));
    expect(all.map(([, , third]) => third?.id)).toEqual(Array(50).fill('8'));
  });

  it('never announces an expired token, not at the start either', async () => {
    const { socketPath, keeper, clock } = await start();
    keeper.set({ credential: makeCredential({ expiresAtMs: clock.now() }) });
    const reader = await readEvents(socketPath);
    await reader.received(1);
    keeper.renew(makeCredential({ token: 'expired', generation: 8, expiresAtMs: clock.now() - 1 }));
    keeper.renew(makeCredential({ token: 'valid', generation: 9 }));
    const [, second] = await reader.received(2);
    expect(credentialOf(second)).toMatchObject({ access_token: 'valid' });
  });

  it('beats every 15 s', async () => {
    const { socketPath, clock } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    for (let beats = 1; beats <= 6; beats += 1) {
      clock.advance(14_999);
      expect(reader.comments).toHaveLength(beats - 1);
      clock.advance(1);
      await until(() => reader.comments.length === beats);
    }
    expect(reader.events).toHaveLength(2);
  });

  it('lets go of the keeper and of every timer when the client goes away', async () => {
    const { socketPath, keeper, clock } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    expect(keeper.listeners).toBe(1);
    reader.response.destroy();
    await until(() => keeper.listeners === 0 && clock.waiting === 0);
  });

  it('ends when its account is kept no longer, so that the client asks again, and no other stream does', async () => {
    const { server, socketPath, keeper, keepers } = await start();
    const work = createScriptedKeeper('work');
    keepers.set('work', work);
    const reader = await readEvents(socketPath);
    const other = await readEvents(socketPath, '?account=work');
    await Promise.all([reader.received(2), other.received(2)]);
    server.endStale();
    expect([keeper.listeners, work.listeners]).toEqual([1, 1]);
    keepers.set('default', createScriptedKeeper());
    server.endStale();
    expect(await reader.over).toBe(true);
    expect([keeper.listeners, work.listeners]).toEqual([0, 1]);
  });

  it('ends cleanly when the server closes', async () => {
    const { server, socketPath, keeper } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    await server.close();
    expect(await reader.over).toBe(true);
    expect(keeper.listeners).toBe(0);
  });

  it('never throws into the keeper', async () => {
    const { socketPath, keeper, logged } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    const credential = makeCredential();
    const broken = { ...credential, accessToken: Object.assign(credential.accessToken, { reveal: fail }) };
    keeper.emit({ type: 'credential', credential: broken });
    expect(await reader.over).toBe(false);
    expect(logged).toContainEqual(expect.objectContaining({ level: 50, msg: 'an event stream failed' }));
    expect(keeper.listeners).toBe(0);
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
  });

  it('never throws out of a write that was kept back either', async () => {
    const { socketPath, keeper, logged } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    const credential = makeCredential();
    keeper.renew(makeCredential({ generation: 8 }));
    keeper.renew({ ...credential, accessToken: Object.assign(credential.accessToken, { reveal: fail }) });
    expect(await reader.over).toBe(false);
    expect(logged).toContainEqual(expect.objectContaining({ level: 50, msg: 'an event stream failed' }));
  });
});

describe('a reader of events that does not read', () => {
  it('costs the newest event of each type, and gets that one when it reads again', async () => {
    const { socketPath, keeper } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    reader.response.pause();
    await flood(keeper, 8);
    keeper.set({ state: makeState('server_error') });
    keeper.emit({ type: 'state', snapshot: keeper.snapshot() });
    reader.response.resume();
    await until(() => reader.events.at(-1)?.id === String(7 + FLOOD));
    expect(reader.events.length).toBeLessThan(FLOOD / 2);
    expect(stateOf(reader.events.at(-2))).toMatchObject({ state: 'degraded' });
    const generations = reader.events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
    expect(generations).toEqual([...generations].sort((a, b) => a - b));
  });

  it('is not sent a token that expired while it was not reading', async () => {
    const { socketPath, keeper, clock } = await start();
    const reader = await readEvents(socketPath);
    await reader.received(2);
    reader.response.pause();
    await flood(keeper, 8);
    keeper.renew(
      makeCredential({ token: 'expires soon', generation: 500, expiresAtMs: clock.now() + 10_000 }),
    );
    keeper.emit({ type: 'state', snapshot: keeper.snapshot() });
    const sentBefore = reader.events.length;
    clock.advance(10_000);
    reader.response.resume();
    await until(() => reader.events.length > sentBefore && reader.events.at(-1)?.event === 'state');
    expect(reader.events.map(({ id }) => id)).not.toContain('500');
  });

  it('is disconnected after 60 s, and nobody else notices', async () => {
    const { socketPath, keeper, clock } = await start();
    const stuck = await readEvents(socketPath);
    const lively = await readEvents(socketPath);
    await Promise.all([stuck.received(2), lively.received(2)]);
    stuck.response.pause();
    await flood(keeper, 8);
    clock.advance(59_000);
    expect(keeper.listeners).toBe(2);
    await until(() => lively.events.at(-1)?.id === String(7 + FLOOD));
    clock.advance(2_000);
    await until(() => keeper.listeners === 1);
    stuck.response.resume();
    expect(await stuck.over).toBe(false);
    keeper.renew(makeCredential({ generation: 1000 }));
    await until(() => lively.events.at(-1)?.id === '1000');
  });
});

/** Publishes large credentials, one in each turn of the event loop, so that each could be written. */
async function flood(keeper: ScriptedKeeper, from: number): Promise<void> {
  for (let index = 0; index < FLOOD; index += 1) {
    keeper.renew(makeCredential({ token: `${LARGE}${String(index)}`, generation: from + index }));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function fail(): never {
  throw new Error('a broken credential');
}
