import { defineConfig } from 'vitest/config';

/** `vitest run` runs the suite; `vitest run --mode full` the long tests, which take minutes each. */
const LONG = ['test/full/**/*.test.ts', 'test/crash/**/*.test.ts', 'test/codex/**/*.test.ts'];

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'full' ? LONG : ['test/**/*.test.ts'],
    exclude: mode === 'full' ? [] : LONG,
    setupFiles: ['test/support/setup.ts'],
    // Each file has a process of its own: setup.ts changes the environment of the whole process.
    pool: 'forks',
    // The long tests judge what happens in real time: none of them is to be held up by another.
    fileParallelism: mode !== 'full',
    testTimeout: mode === 'full' ? 600_000 : 20_000,
    hookTimeout: 20_000,
    retry: 0,
    allowOnly: false,
  },
}));
