import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { compileConsumer, PACKAGE } from '../support/compile-consumer.js';
import { nodeBinary } from '../support/node-binary.js';
import { scratchDir } from '../support/scratch-dir.js';
import { UNDICI_VERSIONS, undiciHome } from '../support/undici-package.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Report {
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly ancestorTitles: readonly string[] }[];
  }[];
}

/** Undici 8 runs on no Node before 22.19, and Node's own `fetch` is another undici in each. */
it.each([24, 26])('the interceptor works with each undici on Node %i', async (major) => {
  const report = join(await scratchDir(), 'report.json');
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const how = ['--mode', 'full', '--reporter', 'json', '--outputFile', report];
  await promisify(execFile)(await nodeBinary(major), [vitest, 'run', ...how, 'test/full/undici.test.ts'], {
    cwd: ROOT,
  });
  const { numFailedTests, testResults } = JSON.parse(await readFile(report, 'utf8')) as Report;
  const suites = testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ ancestorTitles }) => ancestorTitles[0]),
  );
  expect(numFailedTests).toBe(0);
  expect(new Set(suites)).toEqual(new Set(UNDICI_VERSIONS.map(({ version }) => `with undici ${version}`)));
});

it.each(UNDICI_VERSIONS)('its type is one that compose() of undici $version takes', async ({ version }) => {
  const source = `
    import { Agent, Pool, interceptors } from 'undici';
    import { authInterceptor, type CredentialSource } from ${PACKAGE};
    declare const source: CredentialSource;
    new Agent().compose(authInterceptor(source)).close();
    new Pool('http://localhost').compose(interceptors.retry(), authInterceptor(source)).close();`;
  const modules = join(await undiciHome(version), 'node_modules');
  expect(await compileConsumer(source, modules)).toBe('');
  expect(await compileConsumer(`${source}\nauthInterceptor(1);`, modules)).toContain('CredentialSource');
});
