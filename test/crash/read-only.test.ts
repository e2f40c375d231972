import { expect, it } from 'vitest';
import type { DaemonProcess } from '../support/daemon-process.js';
import type { LoginTokens } from '../support/login-file.js';
import { Household, settled } from './household.js';
import { ReadOnlySpell } from './mounts.js';
import { rested } from './rest.js';

/** A daemon whose rotation finds auth.json's directory read-only when the answer comes. */
async function surprise(): Promise<{
  household: Household;
  daemon: DaemonProcess;
  spell: ReadOnlySpell;
  before: LoginTokens;
}> {
  const household = await Household.found();
  const daemon = await household.start();
  const before = await household.login();
  const gate = household.endpoint.holdNext();
  const asked = daemon.ask('/v1/refresh', 'POST');
  await gate.arrived;
  const spell = new ReadOnlySpell(household.sandbox.codexHome);
  gate.open();
  await asked;
  return { household, daemon, spell, before };
}

/** A new token is served, and the file has the old ones still. */
async function expectServedAhead(
  household: Household,
  daemon: DaemonProcess,
  before: LoginTokens,
): Promise<void> {
  expect(await settled(daemon)).toMatchObject({ state: 'degraded', reason: 'not_stored', serving: true });
  const token = (await daemon.ask('/v1/token')).text.trim();
  expect(token).not.toBe(before.access_token);
  expect(household.endpoint.verifyAccessToken(token, Date.now())).toBe(true);
  expect(await household.login()).toEqual(before);
}

/** What was served is in the file now, and the server was asked once. */
async function expectStored(household: Household, daemon: DaemonProcess): Promise<void> {
  while ((await daemon.account()).state !== 'fresh');
  const { access_token, refresh_token } = await household.login();
  expect((await daemon.ask('/v1/token')).text.trim()).toBe(access_token);
  expect(household.endpoint.isAlive(refresh_token)).toBe(true);
  expect(household.endpoint.requests).toHaveLength(1);
  await rested(daemon);
  expect(await household.leftovers()).toEqual([]);
}

it('a file system that turns read-only while the server is asked: served at once, stored when it can be', async () => {
  const { household, daemon, spell, before } = await surprise();
  await expectServedAhead(household, daemon, before);
  spell.end();
  await expectStored(household, daemon);
});

it('killed meanwhile, and started again when it can be written: stored', async () => {
  const { household, daemon, spell, before } = await surprise();
  await expectServedAhead(household, daemon, before);
  await daemon.stop('SIGKILL');
  spell.end();
  await expectStored(household, await household.start());
});

it('killed meanwhile, and started again before it can be written: served from the journal, stored later', async () => {
  const { household, daemon, spell, before } = await surprise();
  await daemon.stop('SIGKILL');
  const successor = await household.start();
  await expectServedAhead(household, successor, before);
  spell.end();
  await expectStored(household, successor);
});
