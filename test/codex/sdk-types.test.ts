import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { CODEX_INSTALL_TIMEOUT_MS, sdkPackage } from '../support/codex-binary.js';
import { scratchDir } from '../support/scratch-dir.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let sdk = '';
beforeAll(async () => {
  sdk = await sdkPackage();
}, CODEX_INSTALL_TIMEOUT_MS);

/** What the compiler says of a consumer's program, in its strictest mode; empty if nothing. */
async function compile(source: string): Promise<string> {
  const directory = await scratchDir();
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await symlink(join(sdk, '..', '..'), join(directory, 'node_modules'));
  const types = `import { codexOptions } from ${JSON.stringify(join(ROOT, 'dist', 'index.js'))};`;
  await writeFile(
    join(directory, 'main.ts'),
    `import { Codex, type CodexOptions } from '@openai/codex-sdk';\n${types}\n${source}\n`,
  );
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'];
  const target = ['--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const roots = ['--typeRoots', join(ROOT, 'node_modules', '@types')];
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await promisify(execFile)(process.execPath, [tsc, ...flags, ...target, ...roots, 'main.ts'], {
      cwd: directory,
    });
    return '';
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
}

it("what codexOptions gives is what the real SDK's constructor takes, and takes the SDK's own options", async () => {
  const source = `
    const own: CodexOptions = { codexPathOverride: '/opt/codex', config: { model: 'x' }, env: { A: 'b' }, configOverrides: [] };
    const { apiKey, baseUrl, ...rest } = own;
    new Codex(await codexOptions());
    new Codex(await codexOptions({ ...rest, route: 'command' }));`;
  expect(await compile(source)).toBe('');
});

it('an API key and a route that there is not are refused by the compiler', async () => {
  expect(await compile(`await codexOptions({ apiKey: 'sk-1' });`)).toContain(
    "'string' is not assignable to type 'undefined'",
  );
  expect(await compile(`await codexOptions({ route: 'magic' });`)).toContain('magic');
});
