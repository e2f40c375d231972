import { describe, expect, it } from 'vitest';
import { startWatchdog } from '../../src/service/watchdog.js';
import { createManualClock } from '../server/manual-clock.js';

const PATIENCE_MS = 60_000;

/** A watchdog over a daemon whose tick and socket the test plays. */
function watch(): {
  readonly daemon: { ticks: boolean; answers: boolean };
  /** Lets this much time go by, and whatever comes due in it. */
  readonly pass: (ms: number) => Promise<void>;
  /** When it was said that the daemon is well, in milliseconds from the start. */
  readonly well: readonly number[];
  readonly warned: readonly string[];
  readonly stop: () => void;
} {
  const clock = createManualClock();
  const daemon = { ticks: true, answers: true };
  const well: number[] = [];
  const warned: string[] = [];
  let lastTickMs = 0;
  const stop = startWatchdog({
    patienceMs: PATIENCE_MS,
    clock,
    lastTickMs: () => lastTickMs,
    answers: () => Promise.resolve(daemon.answers),
    alive: () => well.push(clock.monotonicMs()),
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
    warned,
    stop,
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

  it('is told nothing after the end, also by a check that was under way', async () => {
    const { pass, well, stop } = watch();
    stop();
    await pass(PATIENCE_MS);
    expect(well).toEqual([]);
  });
});
