import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { publish, unpublish } from '../../src/index.js';
import type { DaemonProcess } from '../support/daemon-process.js';
import {
  holdsRefreshToken,
  publishedFingerprint,
  refreshTokensIn,
  strangers,
} from '../support/published-home.js';
import { fingerprintOf } from '../support/tokens.js';
import { Household, preloaded, rotateOnce, settled } from './household.js';
import { inLanes, lastCall, nameOf, TARGETS, type Target } from './kill.js';
import { demandStrace, Strace, threadsOf } from './strace.js';

/** All that Node's file calls do, and of the event loop's calls those that have to do with files. */
const FILES = TARGETS.filter(
  ({ thread, name }) =>
    thread === 'files' || ['flock', 'fsync', 'pwrite64', 'rename', 'unlink'].includes(name),
);

/** Where a daemon was killed, and what lay in the published directory then and when its successor was at rest. */
interface Kill {
  readonly place: string;
  /** Files in which a refresh token is. */
  readonly refreshTokens: readonly string[];
  /** The same, after the recovery. */
  readonly refreshTokensLater: readonly string[];
  readonly leftovers: readonly string[];
  /** Whether what is published is what the daemon gives out; null where nothing is published. */
  readonly isCurrent: boolean | null;
}

const UNHARMED = { refreshTokens: [], refreshTokensLater: [], leftovers: [] };

it('killed at every system call of a rotation and of what it publishes, it leaves no refresh token there', async () => {
  demandStrace();
  const kills = await inLanes(
    FILES,
    () => Lane.open({ isPublished: true }),
    (target, lane) => lane.killAtEach(target, (daemon) => daemon.ask('/v1/refresh', 'POST')),
  );
  console.info({ kills: kills.length });
  for (const { place, ...outcome } of kills) {
    expect.soft(outcome, place).toEqual({ ...UNHARMED, isCurrent: true });
  }
  // That the file was met, on its way and at its end, and not the account's own alone.
  const places = kills.map(({ place }) => place.replace(/ \(.*/, ''));
  expect(places).toEqual(
    expect.arrayContaining([
      'files openat published/.auth.json.codex-authd-…',
      'files pwrite64 published/.auth.json.codex-authd-…',
      'files rename published/auth.json',
      'files rename .codex/auth.json',
      'files fsync published',
    ]),
  );
});

it('killed at every system call of a PUT, it publishes what is there, or nothing is there', async () => {
  demandStrace();
  const kills = await inLanes(
    FILES,
    () => Lane.open({ isPublished: false }),
    (target, lane) => lane.killAtEach(target, (_daemon, request) => publish(request), unpublish),
  );
  for (const { place, isCurrent, ...outcome } of kills) {
    expect.soft({ ...outcome, isConsistent: isCurrent !== false }, place).toEqual({
      ...UNHARMED,
      isConsistent: true,
    });
  }
  expect(new Set(kills.map(({ isCurrent }) => isCurrent))).toEqual(new Set([true, null]));
});

it('killed at every system call of a DELETE, it publishes what is there, or nothing is there', async () => {
  demandStrace();
  const kills = await inLanes(
    FILES,
    () => Lane.open({ isPublished: true }),
    (target, lane) => lane.killAtEach(target, (_daemon, request) => unpublish(request), publish),
  );
  for (const { place, isCurrent, ...outcome } of kills) {
    expect.soft({ ...outcome, isConsistent: isCurrent !== false }, place).toEqual({
      ...UNHARMED,
      isConsistent: true,
    });
  }
  expect(new Set(kills.map(({ isCurrent }) => isCurrent))).toEqual(new Set([true, null]));
});

it('no version of any file there holds a refresh token in a run of rotations', async () => {
  const { household, directory, versions } = await watched('published');
  const daemon = await household.start({ env: watchEnv(directory, household) });
  await publish({ directory, socket: daemon.socket });
  const fingerprints = new Set([await publishedFingerprint(directory)]);
  for (let round = 0; round < 10; round += 1) {
    await rotateOnce(daemon);
    await atRest(daemon);
    fingerprints.add(await publishedFingerprint(directory));
  }
  await unpublish({ directory, socket: daemon.socket });
  const seen = await versions();
  expect(fingerprints.size).toBe(11);
  // Each as it was written beside the file, and as it was when it had replaced it.
  expect(seen.filter(({ name }) => name === 'auth.json')).toHaveLength(11);
  expect(seen.filter(({ name, text }) => name !== 'auth.json' && text.includes('access_token')).length).toBe(
    11,
  );
  expect(seen.filter(({ text }) => holdsRefreshToken(text))).toEqual([]);
});

it('and the watcher would see one: it does in the home of the account', async () => {
  const { household, directory, versions } = await watched('.codex');
  const daemon = await household.start({ env: watchEnv(directory, household) });
  await rotateOnce(daemon);
  const holding = (await versions()).filter(({ text }) => holdsRefreshToken(text));
  expect(new Set(holding.map(({ name }) => name.replace(/codex-authd-.*/, '…')))).toEqual(
    new Set(['auth.json', '.auth.json.…']),
  );
});

interface Watched {
  readonly household: Household;
  readonly directory: string;
  readonly versions: () => Promise<{ readonly name: string; readonly text: string }[]>;
}

async function watched(name: string): Promise<Watched> {
  const household = await Household.found();
  const directory = join(household.sandbox.directory, name);
  const report = reportOf(household);
  await writeFile(report, '');
  const versions: Watched['versions'] = async () =>
    (await readFile(report, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; text: string });
  return { household, directory, versions };
}

function reportOf({ sandbox }: Household): string {
  return join(sandbox.directory, 'versions.log');
}

function watchEnv(directory: string, household: Household): Record<string, string> {
  return { ...preloaded('watch-a-directory.mjs'), WATCHED: directory, WATCH_REPORT: reportOf(household) };
}

type Request = Parameters<typeof publish>[0];
type Act = (daemon: DaemonProcess, request: Request) => Promise<unknown>;

/** A home and a directory beside it, in which one daemon after the other is killed. */
class Lane {
  readonly #household: Household;
  readonly #directory: string;
  readonly #unknown: string[] = [];
  #daemon: DaemonProcess;

  private constructor(household: Household, daemon: DaemonProcess) {
    this.#household = household;
    this.#daemon = daemon;
    this.#directory = join(household.sandbox.directory, 'published');
  }

  static async open({ isPublished }: { isPublished: boolean }): Promise<Lane> {
    const household = await Household.found();
    const lane = new Lane(household, await household.start());
    await mkdir(lane.#directory, { mode: 0o700 });
    await rotateOnce(lane.#daemon);
    // Both once: what is loaded at the first time is no part of those that come after it.
    await publish(lane.#request);
    if (!isPublished) await unpublish(lane.#request);
    return lane;
  }

  get #request(): Request {
    return { directory: this.#directory, socket: this.#daemon.socket };
  }

  /** Kill after kill, until what is done is over before it. `undo` makes that what is done can be done again. */
  async killAtEach(target: Target, act: Act, undo?: (request: Request) => Promise<unknown>): Promise<Kill[]> {
    const kills: Kill[] = [];
    for (;;) {
      const before = await this.#household.login();
      const place = await this.#kill(target, kills.length + 1, act);
      if (place === null) {
        await undo?.(this.#request);
        break;
      }
      const refreshTokens = await refreshTokensIn(this.#directory);
      if ((await this.#household.recordedAnswer(before.refresh_token)) === '') {
        this.#unknown.push(before.refresh_token);
      }
      this.#daemon = await this.#household.start();
      kills.push({ place, refreshTokens, ...(await this.#recover()) });
      const isPublished = (await this.#daemon.account()).published.length > 0;
      if (undo !== undefined && isPublished === (undo === unpublish)) await undo(this.#request);
    }
    expect(this.#household.endpoint.sentTwice()).toEqual([]);
    return kills;
  }

  async #kill({ thread, name }: Target, number: number, act: Act): Promise<string | null> {
    const threads = await threadsOf(this.#daemon.pid);
    const log = join(this.#household.sandbox.directory, 'strace.log');
    const inject = `${name}:signal=KILL:when=${String(number)}`;
    const strace = await Strace.attach(threads[thread], log, { calls: [name], inject });
    const isOver = await act(this.#daemon, this.#request)
      .then(() => atRest(this.#daemon))
      .then(
        () => true,
        () => false,
      );
    if (isOver) {
      await strace.detach();
      return null;
    }
    await this.#daemon.cli.ended;
    await this.#household.endpoint.quiet();
    return `${thread} ${this.#nameOf(await lastCall(strace, name, number))} (${String(number)})`;
  }

  /** Which of the two auth.json it is about is said as well. */
  #nameOf(call: Parameters<typeof nameOf>[0]): string {
    const parent = /\/(published|\.codex)\/(?=[^/"]*auth\.json)/.exec(call.line)?.[1];
    const [verb = '', file = ''] = nameOf(call).split(' ');
    return `${verb} ${parent === undefined ? '' : `${parent}/`}${file}`;
  }

  async #recover(): Promise<Omit<Kill, 'place' | 'refreshTokens'>> {
    const { reason } = await settled(this.#daemon);
    if (reason === 'outcome_unknown') {
      await this.#household.logIn();
      while ((await this.#daemon.account()).state !== 'fresh');
    }
    await atRest(this.#daemon);
    const { published } = await this.#daemon.account();
    const fingerprint = await publishedFingerprint(this.#directory);
    const { access_token } = await this.#household.login();
    return {
      refreshTokensLater: await refreshTokensIn(this.#directory),
      leftovers: [...(await strangers(this.#directory)), ...(await this.#household.leftovers(this.#unknown))],
      isCurrent:
        published.length === 0 && fingerprint === null ? null : fingerprint === fingerprintOf(access_token),
    };
  }
}

/** Resolves when every publication has the credential that is given out; rejects if the daemon ends before. */
async function atRest(daemon: DaemonProcess): Promise<void> {
  for (;;) {
    const { published, generation, state } = await daemon.account();
    const isCurrent = published.every((each) => each.state === 'published' && each.generation === generation);
    if (isCurrent && state !== 'refreshing') return;
  }
}
