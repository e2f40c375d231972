import { renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import { fingerprintOf } from '../support/tokens.js';

/** Blocks this process: what is written by hand between two writes must be torn for just that long. */
function holdStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** The ways in which a file comes to its next content, each with a moment in which there is less than that in it. */
const WAYS: readonly ((path: string, text: string) => void)[] = [
  function truncateAndWrite(path, text) {
    truncateSync(path, 0);
    holdStill(5);
    writeFileSync(path, text);
  },
  function writeInTwoPieces(path, text) {
    writeFileSync(path, text.slice(0, 300));
    holdStill(10);
    writeFileSync(path, text.slice(300), { flag: 'a' });
  },
  function replace(path, text) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  },
  function deleteAndRestore(path, text) {
    rmSync(path);
    holdStill(10);
    writeFileSync(path, text, { mode: 0o600 });
  },
];

describe('a file that is written 200 times in a row, and torn most of the time', () => {
  it('is served as it is in the end, and nobody ever heard of a state that it was only passing through', async () => {
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    await writeAuthFile(path, chatgptFile(makeLoginTokens()));
    const daemon = await DaemonProcess.start({ sandbox });
    const log = daemon.listen();
    await log.untilState('fresh');

    const whole = new Set<string>();
    let last = '';
    for (let round = 0; round < 200; round += 1) {
      const tokens = makeLoginTokens();
      last = fingerprintOf(tokens.access_token);
      whole.add(last);
      WAYS[round % WAYS.length]?.(path, chatgptFile(tokens));
      // Uneven gaps, below and above the time after which the daemon reads.
      holdStill((round * 7) % 100);
      await new Promise((resolve) => setImmediate(resolve));
    }

    await log.until(({ event, data }) => event === 'credential' && data.fingerprint === last);
    expect((await daemon.ask('/v1/credential')).json).toMatchObject({ fingerprint: last });
    expect(new Set(log.states)).toEqual(new Set(['fresh']));
    const told = log.events
      .flatMap(({ event, data }) => (event === 'credential' ? [data.fingerprint] : []))
      .slice(1);
    expect(told.length).toBeGreaterThan(1);
    for (const fingerprint of told) expect(whole).toContain(fingerprint);
  });

  it.each([
    ['deleted', 'logged_out', rmSync],
    [
      'empty',
      'corrupt',
      (path: string) => {
        truncateSync(path, 0);
      },
    ],
    [
      'torn',
      'corrupt',
      (path: string) => {
        writeFileSync(path, '{"tokens": {"acc');
      },
    ],
  ] as const)('is known to be %s when it stays so', async (_how, state, damage) => {
    const sandbox = await ownSandbox();
    const path = join(sandbox.codexHome, 'auth.json');
    const good = chatgptFile(makeLoginTokens());
    await writeAuthFile(path, good);
    const daemon = await DaemonProcess.start({ sandbox });
    const log = daemon.listen();
    await log.untilState('fresh');
    damage(path);
    await log.untilState(state);
    expect(await daemon.ask('/v1/credential')).toMatchObject({ status: 503, json: { code: state } });
    writeFileSync(path, good);
    await log.until(({ event }) => event === 'state' && log.states.length === 3);
    expect(log.states).toEqual(['fresh', state, 'fresh']);
  });
});
