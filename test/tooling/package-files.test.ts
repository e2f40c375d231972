import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { npm } from '../support/npm.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** All that is in the package and is not compiled. */
const FILES = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'bin/codex-authd.js',
  'launchd/codex-authd.plist',
  'man/codex-authd.1',
  'package.json',
  'systemd/codex-authd.service',
  'systemd/codex-authd.socket',
];

it('the package holds the compiled sources, what is installed with them, and nothing else', async () => {
  const sources = (await readdir(`${ROOT}src`, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const compiled = sources.flatMap((name) => {
    const stem = `dist/${name.replace(/\.ts$/, '')}`;
    return [`${stem}.d.ts`, `${stem}.js`];
  });
  const packed = await npm(['pack', '--dry-run', '--json', '--ignore-scripts'], ROOT);
  const [{ files }] = JSON.parse(packed) as [{ readonly files: readonly { readonly path: string }[] }];
  expect(files.map(({ path }) => path).sort()).toEqual([...FILES, ...compiled].sort());
});
