import { readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { AuthdEvent } from '../../src/client/events.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { Household, preloaded } from './household.js';
import { rested } from './rest.js';
import { demandStrace, Strace, threadsOf } from './strace.js';

/** From src/auth-file/lock.ts: a lock that was not renewed for so long may be taken by another machine. */
const STALE_MS = 10_000;

/** What a daemon is that another one keeps out: it goes on serving what is in the file. */
const LOCKED_OUT = { state: 'degraded', reason: 'locked_elsewhere', serving: true };

const ELSEWHERE = preloaded('without-koffi.mjs', 'on-a-machine-of-its-own.mjs');

it.each([
  ['flock', {}],
  ['an abstract socket, without koffi', preloaded('without-koffi.mjs')],
])(
  'a daemon stopped for longer than its lock lasts, its request under way, keeps others of the machine out by %s',
  async (_lock, env) => {
    const household = await Household.found();
    const { endpoint } = household;
    const daemon = await household.start({ env });
    const gate = endpoint.holdNext();
    const asked = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    process.kill(daemon.pid, 'SIGSTOP');
    await lockStale(household);

    const second = await neighbour(household, env);
    const { code, stderr } = await second.cli.ended;
    expect(code).toBe(1);
    expect(stderr).toContain(keptBy(daemon));

    gate.open();
    process.kill(daemon.pid, 'SIGCONT');
    expect((await asked).status).toBe(200);
    while ((await daemon.account()).state !== 'fresh');
    expect(endpoint.isAlive((await household.login()).refresh_token)).toBe(true);
    expect(endpoint.requests).toHaveLength(1);
    await rested(daemon);
    expect(await household.leftovers()).toEqual([]);
  },
);

it('stopped with its request under way, its token is not sent by another machine, nor a newer login touched by it', async () => {
  const household = await Household.found();
  const { endpoint } = household;
  const daemon = await household.start({ env: ELSEWHERE });
  const gate = endpoint.holdNext();
  // Where the test fails before it wakes the daemon, nobody waits for this answer.
  const asked = daemon.ask('/v1/refresh', 'POST').catch((error: unknown) => error);
  await gate.arrived;
  process.kill(daemon.pid, 'SIGSTOP');
  const second = await neighbour(household, ELSEWHERE);
  await second.logged('listening');
  // It has the lock now, and in the file is the token that the first one has sent.
  const refused = await second.ask('/v1/refresh', 'POST');
  expect(endpoint.requests).toHaveLength(1);
  expect([refused.status, refused.json['reason']]).toEqual([503, 'outcome_unknown']);
  const login = await household.logIn();
  while ((await second.ask('/v1/token')).text.trim() !== login.access_token);

  gate.open();
  process.kill(daemon.pid, 'SIGCONT');
  await asked;
  expect(await lockedOut(daemon, second)).toMatchObject(LOCKED_OUT);
  expect((await daemon.ask('/v1/token')).text.trim()).toBe(login.access_token);
  expect(await household.login()).toEqual(login);
  expect(endpoint.isAlive(login.refresh_token)).toBe(true);
  expect(endpoint.requests).toHaveLength(1);
});

/** Which sync of a rotation is which, and what strace calls the file. */
const SYNCS = {
  'the temporary file': { number: 1, file: /\/\.auth\.json\.codex-authd-[^/]*>/ },
  'the journal': { number: 2, file: /\.journal>/ },
  'the directory of the journal': { number: 3, file: /\/state\/codex-authd>/ },
} as const;

it.each(Object.keys(SYNCS) as (keyof typeof SYNCS)[])(
  'stopped when it syncs %s while another machine rotates, it sends nothing',
  async (what) => {
    const household = await Household.found();
    const { endpoint } = household;
    const { daemon, asked } = await stoppedAtSync(household, what);
    const second = await neighbour(household, {
      ...ELSEWHERE,
      NOT_ON_THIS_MACHINE: household.stateDirectory,
    });
    await second.logged('listening');
    expect((await second.ask('/v1/refresh', 'POST')).status).toBe(200);
    const rotated = await household.login();

    process.kill(daemon.pid, 'SIGCONT');
    await asked;
    expect(await lockedOut(daemon, second)).toMatchObject(LOCKED_OUT);
    expect((await daemon.ask('/v1/token')).text.trim()).toBe(rotated.access_token);
    expect(await household.login()).toEqual(rotated);
    expect(endpoint.isAlive(rotated.refresh_token)).toBe(true);
    expect(endpoint.requests).toHaveLength(1);
  },
);

it('stopped when it syncs the journal, it is not overtaken by one that can read what it is about to do', async () => {
  const household = await Household.found();
  const { endpoint } = household;
  const { daemon, asked } = await stoppedAtSync(household, 'the journal');
  const second = await neighbour(household, ELSEWHERE);
  await second.logged('listening');
  const refused = await second.ask('/v1/refresh', 'POST');
  expect([refused.status, refused.json['reason']]).toEqual([503, 'outcome_unknown']);
  expect((await second.ask('/v1/token')).status).toBe(200);

  process.kill(daemon.pid, 'SIGCONT');
  await asked;
  expect(await lockedOut(daemon, second)).toMatchObject(LOCKED_OUT);
  expect(endpoint.requests).toEqual([]);
});

/** A daemon whose rotation stands still in one of its syncs, and which nobody can wake but us. */
async function stoppedAtSync(
  household: Household,
  what: keyof typeof SYNCS,
): Promise<{ readonly daemon: DaemonProcess; readonly asked: Promise<unknown> }> {
  demandStrace();
  const daemon = await household.start({ env: ELSEWHERE });
  // Not one of its start.
  await rested(daemon);
  const { files } = await threadsOf(daemon.pid);
  const log = household.straceLog;
  const { number, file } = SYNCS[what];
  const strace = await Strace.attach(files, log, {
    calls: ['fsync'],
    inject: `fsync:signal=STOP:when=${String(number)}`,
  });
  // Where the test fails before it wakes the daemon, nobody waits for this answer.
  const asked = daemon.ask('/v1/refresh', 'POST').catch((error: unknown) => error);
  while (!(await readFile(log, 'utf8')).includes('stopped by SIGSTOP'));
  await strace.detach();
  expect((await strace.calls()).at(-1)?.line).toMatch(file);
  return { daemon, asked };
}

/** Another daemon for the same auth.json, with a socket and a state directory of its own. */
async function neighbour(
  household: Household,
  env: Readonly<Record<string, string>>,
): Promise<DaemonProcess> {
  const { sandbox, endpoint } = household;
  return DaemonProcess.spawn({
    sandbox: await ownSandbox(),
    tokenEndpoint: endpoint.url,
    env: { CODEX_HOME: sandbox.codexHome, ...env },
  });
}

/** What a daemon says of itself when it has tried to get its lock back, and knows who has it. */
async function lockedOut(daemon: DaemonProcess, by: DaemonProcess): Promise<AuthdEvent['data']> {
  const isTold = ({ event, data }: AuthdEvent): boolean =>
    event === 'state' && data.detail.includes(keptBy(by));
  return (await daemon.listen().until(isTold)).data;
}

function keptBy({ pid }: DaemonProcess): string {
  return `is kept by codex-authd with pid ${String(pid)} `;
}

/** Resolves when the lock in the file system has not been renewed for so long that anybody may take it. */
async function lockStale({ authFile }: Household): Promise<void> {
  const ageMs = async (): Promise<number> =>
    Date.now() - (await stat(`${authFile}.codex-authd.lock`)).mtimeMs;
  for (let age = await ageMs(); age <= STALE_MS; age = await ageMs()) await sleep(STALE_MS - age + 1);
}
