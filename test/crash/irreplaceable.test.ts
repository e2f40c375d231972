import { expect, it } from 'vitest';
import type { Finding } from '../../src/doctor/finding.js';
import { runCli } from '../cli/run-cli.js';
import { Household, settled } from './household.js';
import { makeImmutable, mountAlone } from './mounts.js';

/** What `doctor` says of the place of auth.json. */
async function directoryFinding({ sandbox }: Household): Promise<Finding> {
  const { stdout } = await runCli(sandbox, ['doctor', '--json']);
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  const found = findings.find(({ id }) => id === 'directory');
  if (found === undefined) throw new Error('doctor says nothing of the directory');
  return found;
}

it.each([
  ['mounted by itself, as into a container', mountAlone],
  ['immutable', makeImmutable],
])('an auth.json that is %s: nothing is sent before it can be replaced', async (_, hinder) => {
  const household = await Household.found();
  const daemon = await household.start();
  const before = await household.login();
  const relieve = hinder(household.authFile);
  await daemon.ask('/v1/refresh', 'POST');
  expect(await settled(daemon)).toMatchObject({
    state: 'degraded',
    reason: 'storage_unavailable',
    serving: true,
  });
  expect((await daemon.ask('/v1/token')).text.trim()).toBe(before.access_token);
  expect(household.endpoint.requests).toHaveLength(0);
  expect((await directoryFinding(household)).level).toBe('fail');
  relieve();
  expect((await directoryFinding(household)).level).toBe('ok');
  while ((await daemon.account()).state !== 'fresh') await daemon.ask('/v1/refresh', 'POST');
  expect((await household.login()).refresh_token).not.toBe(before.refresh_token);
});
