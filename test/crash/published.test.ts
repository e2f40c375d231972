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
import { nameOf } from './call-kinds.js';
import { Household, preloaded, refresh, rotateOnce, settled } from './household.js';
import { killIn, tracesOf } from './kill.js';
import { inLanes } from './lanes.js';
import { rested } from './rest.js';
import { demandStrace } from './strace.js';
import { carryOut, missed, plansFrom, type Plan } from './survey.js';

/** Of the event loop's calls those that have to do with files; the others are killed at in rotation.test.ts. */
const LOOP_CALLS = ['flock', 'fsync', 'pwrite64', 'rename', 'unlink'];

/** Where a daemon was killed, and what lay in the published directory then and when its successor was at rest. */
interface Kill {
  readonly place: string;
  /** The how manieth call of its name it was. */
  readonly number: number;
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
  const kills = await killEverywhere({ isPublished: true }, { act: (daemon) => refresh(daemon) });
  for (const { place, number, ...outcome } of kills) {
    expect.soft(outcome, whereOf({ place, number })).toEqual({ ...UNHARMED, isCurrent: true });
  }
  // That the file was met, on its way and at its end, and not the account's own alone.
  expect(kills.map(({ place }) => place)).toEqual(
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
  await killBetween(
    { isPublished: false },
    { act: (_daemon, request) => publish(request), undo: (request) => unpublish(request) },
  );
});

it('killed at every system call of a DELETE, it publishes what is there, or nothing is there', async () => {
  await killBetween(
    { isPublished: true },
    { act: (_daemon, request) => unpublish(request), undo: (request) => publish(request) },
  );
});

async function killBetween(before: { isPublished: boolean }, doing: Doing): Promise<void> {
  const kills = await killEverywhere(before, doing);
  for (const { place, number, isCurrent, ...outcome } of kills) {
    const isConsistent = isCurrent !== false;
    expect.soft({ ...outcome, isConsistent }, whereOf({ place, number })).toEqual({
      ...UNHARMED,
      isConsistent: true,
    });
  }
  expect(new Set(kills.map(({ isCurrent }) => isCurrent))).toEqual(new Set([true, null]));
}

async function killEverywhere(before: { isPublished: boolean }, doing: Doing): Promise<Kill[]> {
  demandStrace();
  const startedAtMs = performance.now();
  const plans = await (await Lane.open(before)).plansOf(doing);
  const kills = await inLanes(
    plans,
    () => Lane.open(before),
    (plan, lane) => lane.killAtEach(plan, doing),
  );
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  console.info({ kills: kills.length, places: new Set(kills.map(({ place }) => place)).size, seconds });
  expect(missed(plans, kills)).toEqual([]);
  return kills;
}

function whereOf({ place, number }: Pick<Kill, 'place' | 'number'>): string {
  return `${place} (${String(number)})`;
}

it('no version of any file there holds a refresh token in a run of rotations', async () => {
  const { household, directory, versions } = await watched('published');
  const daemon = await household.start({ env: watchEnv(directory, household) });
  await publish({ directory, socket: daemon.socket });
  const fingerprints = new Set([await publishedFingerprint(directory)]);
  for (let round = 0; round < 10; round += 1) {
    await rotateOnce(daemon);
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

/** What the daemon is killed in, and what makes that it can be done again. */
interface Doing {
  readonly act: (daemon: DaemonProcess, request: Request) => Promise<unknown>;
  readonly undo?: (request: Request) => Promise<unknown>;
}

/** A home and a directory beside it, in which one daemon after the other is killed. */
class Lane {
  readonly #household: Household;
  readonly #directory: string;
  readonly #unknown: string[] = [];
  /** Whether it was published in the beginning. */
  readonly #isPublished: boolean;
  #daemon: DaemonProcess;

  private constructor(household: Household, daemon: DaemonProcess, isPublished: boolean) {
    this.#household = household;
    this.#daemon = daemon;
    this.#isPublished = isPublished;
    this.#directory = join(household.sandbox.directory, 'published');
  }

  static async open({ isPublished }: { isPublished: boolean }): Promise<Lane> {
    const household = await Household.found();
    const lane = new Lane(household, await household.start(), isPublished);
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

  async plansOf({ act, undo }: Doing): Promise<Plan[]> {
    const traces = await tracesOf(
      this.#household,
      this.#daemon,
      () => act(this.#daemon, this.#request),
      async () => undo?.(this.#request),
    );
    await this.#daemon.stop();
    return plansFrom(traces).filter(({ thread, name }) => thread === 'files' || LOOP_CALLS.includes(name));
  }

  async killAtEach(plan: Plan, doing: Doing): Promise<Kill[]> {
    const kills = await carryOut(plan, (number) => this.#killAt(plan, number, doing));
    expect(this.#household.endpoint.sentTwice()).toEqual([]);
    return kills;
  }

  async #killAt(plan: Plan, number: number, { act, undo }: Doing): Promise<Kill | null> {
    const household = this.#household;
    await rested(this.#daemon);
    const before = await household.login();
    const call = await killIn(household, this.#daemon, plan, number, () => act(this.#daemon, this.#request));
    if (call === null) {
      await undo?.(this.#request);
      return null;
    }
    const refreshTokens = await refreshTokensIn(this.#directory);
    if ((await household.recordedAnswer(before.refresh_token)) === '') {
      this.#unknown.push(before.refresh_token);
    }
    this.#daemon = await household.start();
    const place = `${plan.thread} ${nameOf(call)}`;
    const kill = { place, number, refreshTokens, ...(await this.#recover()) };
    const isPublished = (await this.#daemon.account()).published.length > 0;
    if (undo !== undefined && isPublished !== this.#isPublished) await undo(this.#request);
    return kill;
  }

  async #recover(): Promise<Omit<Kill, 'place' | 'number' | 'refreshTokens'>> {
    await rested(this.#daemon);
    const { reason } = await settled(this.#daemon);
    if (reason === 'outcome_unknown') {
      await this.#household.logIn();
      while ((await this.#daemon.account()).state !== 'fresh');
    }
    await rested(this.#daemon);
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
