import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** About two minutes of two cores; the same seeds on every machine. */
const ROTATIONS = 80_000;

it('finds nothing in two minutes', async () => {
  // npm asks its registry now and then whether there is a newer npm: the tests stay on this machine.
  const command = [
    'run',
    '--silent',
    '--no-update-notifier',
    'simulate',
    '--',
    '--rotations',
    String(ROTATIONS),
  ];
  const { stdout } = await promisify(execFile)('npm', command).catch((error: unknown) => {
    const { stdout: output } = error as { stdout: string };
    throw new Error(output, { cause: error });
  });
  console.info(stdout);
  expect(stdout).toContain('\n0 violations\n');
});
