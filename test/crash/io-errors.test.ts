import { expect, it } from 'vitest';
import type { DaemonProcess } from '../support/daemon-process.js';
import { nameOf } from './call-kinds.js';
import { Household, rotateOnce, settled } from './household.js';
import { rested } from './rest.js';
import { demandStrace, Strace, threadsOf } from './strace.js';
import type { Target } from './survey.js';

/**
 * What a failing disk fails. `close` is not here: Linux closes the file whatever it answers, and strace could only leave it
 * open, with its lock held for ever.
 */
const TARGETS: readonly Target[] = [
  { thread: 'loop', name: 'pwrite64' },
  { thread: 'loop', name: 'flock' },
  ...['fsync', 'pwrite64', 'rename', 'ftruncate', 'unlink', 'openat', 'mkdir', 'pread64', 'statx'].map(
    (name): Target => ({ thread: 'files', name }),
  ),
];

it.each(TARGETS)(
  'an I/O error at any $name of the $thread loses nothing, and is got over without help',
  async (target) => {
    demandStrace();
    const household = await Household.found();
    const { endpoint } = household;
    const daemon = await household.start();
    await rotateOnce(daemon);
    const places: string[] = [];
    for (;;) {
      const place = await failOnce(household, daemon, target, places.length + 1);
      if (place === null) break;
      places.push(place);
      while ((await daemon.account()).state !== 'fresh');
      const { refresh_token, access_token } = await household.login();
      expect.soft(endpoint.isAlive(refresh_token), place).toBe(true);
      expect.soft((await daemon.ask('/v1/token')).text.trim(), place).toBe(access_token);
      expect.soft(endpoint.sentTwice(), place).toEqual([]);
    }
    // A journal that could not be removed has had its say, and the next daemon removes it.
    await daemon.stop('SIGKILL');
    const successor = await household.start();
    await rested(successor);
    expect((await settled(successor)).state).toBe('fresh');
    expect(await household.leftovers()).toEqual([]);
    console.info({ errors: places.length, at: [...new Set(places)] });
    expect(places).not.toEqual([]);
  },
);

/** A rotation in which one system call fails with EIO, from rest to rest. Null if there is no such call in it. */
async function failOnce(
  household: Household,
  daemon: DaemonProcess,
  { thread, name }: Target,
  number: number,
): Promise<string | null> {
  await rested(daemon);
  const threads = await threadsOf(daemon.pid);
  const strace = await Strace.attach(threads[thread], household.straceLog, {
    calls: [name],
    inject: `${name}:error=EIO:when=${String(number)}`,
  });
  await daemon.ask('/v1/refresh', 'POST');
  await rested(daemon);
  await strace.detach();
  const failed = (await strace.calls()).find(({ line }) => line.includes('(INJECTED)'));
  return failed === undefined ? null : nameOf(failed);
}
