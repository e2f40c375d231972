import { mkdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { Household, rotateOnce, settled } from './household.js';
import { SmallDisk } from './mounts.js';
import { rested } from './rest.js';

/** Room for a journal beside one that could not be done with yet, or for an auth.json and what replaces it. */
const DISK_BYTES = 3 * 1024 * 1024;

it.each(['home', 'state'] as const)(
  'a full disk below the %s directory is found out before a token is sent, and forgotten when there is room',
  async (where) => {
    const { household, home, state } = await furnish();
    const { endpoint } = household;
    const { access_token } = await household.login();
    const daemon = await household.start();
    const disk = where === 'home' ? home : state;
    disk.fill();

    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(503);
    // It tries again and again, and is asked once: between two answers it may have begun anew.
    expect(await settled(daemon)).toMatchObject({ state: 'degraded', reason: 'storage_unavailable' });
    expect((await daemon.ask('/v1/token')).text.trim()).toBe(access_token);
    expect(endpoint.requests).toEqual([]);

    await disk.free();
    await endpoint.request(1);
    while ((await daemon.account()).state !== 'fresh');
    expect(endpoint.isAlive((await household.login()).refresh_token)).toBe(true);
    expect(endpoint.sentTwice()).toEqual([]);
    await rested(daemon);
    expect(await household.leftovers()).toEqual([]);
  },
);

it('a disk that fills up while the server is asked costs nothing: the room had been taken before', async () => {
  const { household, home, state } = await furnish();
  const { endpoint } = household;
  const daemon = await household.start();
  const before = await household.login();
  const gate = endpoint.holdNext();
  const asked = daemon.ask('/v1/refresh', 'POST');
  await gate.arrived;
  home.fill();
  state.fill();
  gate.open();
  expect((await asked).status).toBe(200);
  await settled(daemon);
  const after = await household.login();
  expect(after.refresh_token).not.toBe(before.refresh_token);
  expect(endpoint.isAlive(after.refresh_token)).toBe(true);

  // What the disk had no room for, the number of the credential, is no reason to forget anything after a kill.
  await daemon.stop('SIGKILL');
  const successor = await household.start();
  expect((await successor.ask('/v1/token')).text.trim()).toBe(after.access_token);
  await home.free();
  await state.free();
  while ((await successor.account()).state !== 'fresh');
  await rotateOnce(successor);
  expect(endpoint.sentTwice()).toEqual([]);
  // The next tick removes what there was no room to remember.
  while ((await household.leftovers()).length > 0) await successor.account();
});

async function furnish(): Promise<{ household: Household; home: SmallDisk; state: SmallDisk }> {
  const household = await Household.prepare();
  await mkdir(household.stateDirectory, { recursive: true, mode: 0o700 });
  const home = new SmallDisk(household.sandbox.codexHome, DISK_BYTES);
  const state = new SmallDisk(household.stateDirectory, DISK_BYTES);
  await household.logIn();
  return { household, home, state };
}
