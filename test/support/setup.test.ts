import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { makeTempDir } from './temp-dir.js';

const root = join(import.meta.dirname, '..', '..');

const CONFIG = `export default {
  test: {
    globals: true,
    include: ['planted.test.js'],
    setupFiles: [${JSON.stringify(join(import.meta.dirname, 'setup.ts'))}],
  },
};
`;

/** Swallows the refusal, as a program with a fallback would. */
const LEAVING = `it('leaves the machine', () => fetch('http://192.0.2.1/').catch(() => undefined));\n`;
const STAYING = `it('stays', () => undefined);\n`;

async function runVitest(planted: string): Promise<{ code: unknown; output: string }> {
  await using directory = await makeTempDir();
  await writeFile(join(directory.path, 'vitest.config.js'), CONFIG);
  await writeFile(join(directory.path, 'planted.test.js'), planted);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', '--root', directory.path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, output: output + errors };
}

it('fails a test that tries to leave the machine, even where nobody sees the error', async () => {
  const { code, output } = await runVitest(LEAVING);
  expect(output).toContain('this test tried to leave the machine');
  expect(output).toContain('192.0.2.1');
  expect(code).toBe(1);
});

it('lets one pass that stays on it', async () => {
  const { code, output } = await runVitest(STAYING);
  expect(output).toContain('1 passed');
  expect(code).toBe(0);
});
