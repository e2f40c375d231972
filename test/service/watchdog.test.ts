import { describe, expect, it } from 'vitest';
import { startWatchdog, type Watchdog } from '../../src/service/watchdog.js';
import { createManualClock } from '../server/manual-clock.js';

const PATIENCE_MS = 60_000;
const AT_STAKE_MS = 600_000;

/** A watchdog over a daemon whose tick, socket and rotations the test plays. */
function watch(): {
  readonly daemon: { ticks: boolean; answers: boolean; rotates: boolean };
  /** Lets this much time go by, and whatever comes due in it. */
  readonly pass: (ms: number) => Promise<void>;
  /** When it was said that the daemon is well, in milliseconds from the start. */
  readonly well: readonly number[];
  /** Each patience that the manager was asked for, the same one again left out. */
  readonly patiences: readonly number[];
  readonly warned: readonly string[];
  readonly watchdog: Watchdog;
} {
  const clock = createManualClock();
  const daemon = { ticks: true, answers: true, rotates: false };
  const well: number[] = [];
  const patiences: number[] = [];
  const warned: string[] = [];
  let lastTickMs = 0;
  const setPatience = (patienceMs: number): void => {
    if (patiences.at(-1) !== patienceMs) patiences.push(patienceMs);
  };
  const watchdog = startWatchdog({
    patienceMs: PATIENCE_MS,
    clock,
    lastTickMs: () => lastTickMs,
    answers: () => Promise.resolve(daemon.answers),
    mayBeAtStake: () => daemon.rotates,
    alive: (patienceMs) => {
      well.push(clock.monotonicMs());
      setPatience(patienceMs);
    },
    setPatience,
    log: {
      warn(fields) {
        warned.push(JSON.stringify(fields));
      },
    },
  });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    daemon,
    well,
    patiences,
    warned,
    watchdog,
    async pass(ms) {
      await settle();
      for (let passedMs = 0; passedMs < ms; passedMs += 1000) {
        clock.advance(1000);
        if (daemon.ticks) lastTickMs = clock.monotonicMs();
        await settle();
      }
    },
  };
}

describe('the watchdog', () => {
  it('is told at once, and then four times in its patience, that all is well', async () => {
    const { pass, well, warned } = watch();
    await pass(PATIENCE_MS);
    expect(well).toEqual([0, 15_000, 30_000, 45_000, 60_000]);
    expect(warned).toEqual([]);
  });

  it('is told nothing once the tick stands still for 35 s, though the socket answers', async () => {
    const { daemon, pass, well, warned } = watch();
    daemon.ticks = false;
    await pass(2 * PATIENCE_MS);
    expect(well).toEqual([0, 15_000, 30_000]);
    expect(new Set(warned)).toEqual(new Set(['{"trouble":"the tick stands still"}']));
    expect(warned).toHaveLength(6);
  });

  it('is told nothing while the socket does not answer, though the tick comes', async () => {
    const { daemon, pass, well, warned } = watch();
    await pass(1000);
    daemon.answers = false;
    await pass(PATIENCE_MS);
    expect(well).toEqual([0]);
    expect(new Set(warned)).toEqual(new Set(['{"trouble":"the socket does not answer"}']));
    expect(warned).toHaveLength(4);
  });

  it('is told again as soon as both are back', async () => {
    const { daemon, pass, well } = watch();
    daemon.ticks = false;
    daemon.answers = false;
    await pass(50_000);
    daemon.ticks = true;
    daemon.answers = true;
    await pass(10_000);
    expect(well).toEqual([0, 60_000]);
  });

  it('is asked for ten minutes as soon as a rotation begins, and for no more when it is over', async () => {
    const { daemon, pass, patiences, watchdog } = watch();
    await pass(1000);
    daemon.rotates = true;
    watchdog.adjust();
    expect(patiences).toEqual([PATIENCE_MS, AT_STAKE_MS]);
    await pass(PATIENCE_MS);
    daemon.rotates = false;
    watchdog.adjust();
    expect(patiences).toEqual([PATIENCE_MS, AT_STAKE_MS, PATIENCE_MS]);
  });

  it('is not asked for more by a daemon that is not well: that would count as a word that it is', async () => {
    const { daemon, pass, patiences, watchdog } = watch();
    await pass(1000);
    daemon.answers = false;
    await pass(15_000);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      daemon.rotates = !daemon.rotates;
      watchdog.adjust();
    }
    expect(patiences).toEqual([PATIENCE_MS]);
    daemon.answers = true;
    daemon.rotates = true;
    await pass(15_000);
    expect(patiences).toEqual([PATIENCE_MS, AT_STAKE_MS]);
  });

  it('is told with each word that all is well how long to wait, for whoever did not hear it before', async () => {
    const { daemon, pass, patiences } = watch();
    await pass(1000);
    daemon.rotates = true;
    await pass(15_000);
    daemon.rotates = false;
    await pass(15_000);
    expect(patiences).toEqual([PATIENCE_MS, AT_STAKE_MS, PATIENCE_MS]);
  });

  it('is told nothing after the end, also by a check that was under way', async () => {
    const { daemon, pass, well, patiences, watchdog } = watch();
    watchdog.stop();
    daemon.rotates = true;
    watchdog.adjust();
    await pass(PATIENCE_MS);
    expect(well).toEqual([]);
    expect(patiences).toEqual([]);
  });
});
