import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { CODEX_INSTALL_TIMEOUT_MS, sdkPackage } from '../support/codex-binary.js';
import { compileConsumer, PACKAGE } from '../support/compile-consumer.js';

let sdk = '';
beforeAll(async () => {
  sdk = await sdkPackage();
}, CODEX_INSTALL_TIMEOUT_MS);

/** What the compiler says of a program that uses the SDK and this package. */
function compile(source: string): Promise<string> {
  const imports = `import { Codex, type CodexOptions } from '@openai/codex-sdk';
    import { codexOptions } from ${PACKAGE};`;
  return compileConsumer(`${imports}\n${source}\n`, join(sdk, '..', '..'));
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
