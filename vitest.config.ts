import { defineConfig } from 'vitest/config';

/** They take minutes, and the crash campaign needs strace and root. */
const LONG = ['test/full/**/*.test.ts', 'test/crash/**/*.test.ts'];

/** `vitest run` runs the suite; `vitest run --mode full` the long tests. */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'full' ? LONG : ['test/**/*.test.ts'],
    exclude: mode === 'full' ? [] : LONG,
    setupFiles: ['test/support/setup.ts'],
    // Each file has a process of its own: setup.ts changes the environment of the whole process.
    pool: 'forks',
    testTimeout: mode === 'full' ? 600_000 : 20_000,
    hookTimeout: 20_000,
    retry: 0,
    allowOnly: false,
  },
}));
