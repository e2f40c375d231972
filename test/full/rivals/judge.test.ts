import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { chatgptFile, writeAuthFile, type LoginTokens } from '../../support/login-file.js';
import { logInAs, rotateAs } from '../../support/rivals/acts.js';
import { codex0163 } from '../../support/rivals/codex-0-163.js';
import type { Rival } from '../../support/rivals/rival.js';
import { scratchDir } from '../../support/scratch-dir.js';
import { StrictTokenEndpoint } from '../../support/strict-token-endpoint.js';
import { Judge } from './judge.js';

/** Sends what is in the file, as a daemon that has its faults. */
const daemon: Rival = { ...codex0163, userAgent: 'codex-authd/0.0.0' };
/** One that spends a token and stores nothing. */
const careless: Rival = { ...daemon, storesOver: () => false };

interface Court {
  readonly endpoint: StrictTokenEndpoint;
  readonly path: string;
  readonly judge: Judge;
  readonly login: LoginTokens;
  readonly killsAtMs: number[];
}

async function holdCourt(): Promise<Court> {
  const endpoint = await StrictTokenEndpoint.start();
  onTestFinished(() => endpoint.close());
  const path = join(await scratchDir(), 'auth.json');
  const login = endpoint.login();
  await writeAuthFile(path, chatgptFile(login));
  const killsAtMs: number[] = [];
  const judge = new Judge(endpoint, path, killsAtMs, 0);
  void judge.watch();
  return { endpoint, path, judge, login, killsAtMs };
}

it('nobody is blamed for a rotation that is stored', async () => {
  const { endpoint, path, judge } = await holdCourt();
  await rotateAs(daemon, path, endpoint.url);
  await rotateAs(judge.observing(codex0163), path, endpoint.url);
  await rotateAs(daemon, path, endpoint.url);
  expect(judge).toMatchObject({ violations: [], unaware: { count: 0 } });
});

it('a daemon that sends a token twice is found, unless it was killed in between', async () => {
  const { endpoint, path, judge, login, killsAtMs } = await holdCourt();
  await rotateAs(careless, path, endpoint.url);
  await rotateAs(careless, path, endpoint.url);
  expect(judge.violations).toEqual([expect.stringContaining('was sent twice by us')]);
  judge.mourn(login);
  expect(judge.deaths).toEqual(new Map([['ours', 1]]));
  killsAtMs.push(Date.now());
  await rotateAs(careless, path, endpoint.url);
  expect(judge).toMatchObject({ sentAgainAfterKill: 1 });
});

it('a daemon that sends what the file has lost is found', async () => {
  const { endpoint, path, judge, login } = await holdCourt();
  await logInAs(judge.observing(codex0163), path, endpoint.login());
  const elsewhere = join(await scratchDir(), 'auth.json');
  await writeAuthFile(elsewhere, chatgptFile(login));
  await rotateAs(daemon, elsewhere, endpoint.url);
  expect(judge.violations).toEqual([expect.stringContaining('after the file had lost it')]);
});

it('a daemon that loses what it was given is found', async () => {
  const { endpoint, path, judge, login } = await holdCourt();
  await rotateAs(careless, path, endpoint.url);
  judge.mourn(login);
  expect(judge.violations).toEqual([expect.stringContaining('the login was lost by us')]);
});

it('what rivals do is told apart: an old copy put back, tokens lost, what was spent sent again', async () => {
  const { endpoint, path, judge, login } = await holdCourt();
  await rotateAs(daemon, path, endpoint.url);
  await logInAs(judge.observing(codex0163), path, login);
  judge.mourn(login);

  const second = endpoint.login();
  await logInAs(judge.observing(codex0163), path, second);
  await rotateAs({ ...codex0163, storesOver: () => false }, path, endpoint.url);
  judge.mourn(second);

  const third = endpoint.login();
  await logInAs(judge.observing(codex0163), path, third);
  const next = endpoint.rotateElsewhere(third.refresh_token);
  await rotateAs(codex0163, path, endpoint.url);
  judge.mourn(next);
  expect(Object.fromEntries(judge.deaths)).toEqual({
    'a rival put an old copy back': 1,
    'a rival lost its tokens': 1,
    'a rival sent what was spent': 1,
  });
  expect(judge.violations).toEqual([]);
});
