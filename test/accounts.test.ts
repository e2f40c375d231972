import { expect, it, onTestFinished } from 'vitest';
import { Accounts } from '../src/accounts.js';
import { Holdings } from '../src/keeper/holdings.js';
import type { Surroundings } from '../src/surroundings.js';
import { makeAccountScene, type AccountScene } from './support/account-scene.js';

type Settings = AccountScene['settings'];

interface Scene {
  readonly accounts: Accounts;
  readonly settings: Settings;
  /** The same without an account. */
  readonly none: Settings;
}

async function open(others: Partial<Surroundings> = {}): Promise<Scene> {
  const { settings, surroundings } = await makeAccountScene(others);
  const accounts = new Accounts(surroundings);
  await accounts.open(settings);
  onTestFinished(async () => {
    await accounts.finish();
    await accounts.close();
  });
  return { accounts, settings, none: { ...settings, accounts: [] } };
}

const ignore = (): void => undefined;

it('a reload that meets the unexpected fails alone: neither the next one nor the end is the worse for it', async () => {
  const { accounts, settings, none } = await open();
  const failing = accounts.reload(settings, () => {
    throw new Error('planted');
  });
  await expect(failing).rejects.toThrow('planted');
  await accounts.reload(none, ignore);
  expect([...accounts.keepers.keys()]).toEqual([]);
  await accounts.reload(settings, ignore);
  expect([...accounts.keepers.keys()]).toEqual(['default']);
  await accounts.finish();
});

it('an account that cannot take another configuration costs no other one its place', async () => {
  const { config, settings, surroundings } = await makeAccountScene();
  const { config: gone } = await makeAccountScene();
  let isFailing = false;
  const openEndpoint: Surroundings['openEndpoint'] = (wanted) => {
    if (isFailing) throw new Error('planted');
    return surroundings.openEndpoint(wanted);
  };
  const accounts = new Accounts({ ...surroundings, openEndpoint });
  await accounts.open({ ...settings, accounts: [{ ...gone, name: 'gone' }, config] });
  isFailing = true;
  await expect(accounts.reload(settings, ignore)).rejects.toThrow('planted');
  expect([...accounts.keepers.keys()]).toEqual(['gone', 'default']);
  isFailing = false;
  await accounts.reload(settings, ignore);
  expect([...accounts.keepers.keys()]).toEqual(['default']);
  await accounts.finish();
  await accounts.close();
});

it('an account whose end goes wrong lets go of its lock, and can be kept again', async () => {
  const holdings = new Holdings();
  const hold = holdings.hold.bind(holdings);
  const { accounts, settings, none } = await open({ holdings });
  holdings.hold = (account, fingerprint) => {
    if (fingerprint === null) {
      holdings.hold = hold;
      throw new Error('planted');
    }
    hold(account, fingerprint);
  };
  await accounts.reload(none, ignore);
  await accounts.reload(settings, ignore);
  expect(accounts.keepers.get('default')?.state).toMatchObject({ name: 'fresh' });
});
