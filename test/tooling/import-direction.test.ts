import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

const IMPORT_RULES = [
  'import-x/no-restricted-paths',
  'import-x/no-cycle',
  '@typescript-eslint/no-restricted-imports',
  'no-restricted-syntax',
  'no-restricted-globals',
];

/** The project's own configuration, without the rules that need types: a planted file is in no program. */
const eslint = new ESLint({
  cwd: root,
  overrideConfig: [
    { ...tseslint.configs.disableTypeChecked, files: ['**/*.ts'] },
    { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false } } },
  ],
});

/** What the import rules say of a file with this text, were it at this path. */
async function lint(path: string, text: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath: join(root, path) });
  const messages = result?.messages ?? [];
  const fatal = messages.find((message) => message.fatal === true);
  if (fatal !== undefined) throw new Error(`${path}: ${fatal.message}`);
  return messages.flatMap(({ ruleId }) => (ruleId !== null && IMPORT_RULES.includes(ruleId) ? [ruleId] : []));
}

/** Some module of a folder of src, as imported from another folder of src. */
function someModuleOf(part: string): string {
  if (part.endsWith('.ts')) return `../${part.replace('.ts', '.js')}`;
  const file = readdirSync(join(root, 'src', part)).find((name) => name.endsWith('.ts'));
  if (file === undefined) throw new Error(`src/${part} is empty`);
  return `../${part}/${file.replace('.ts', '.js')}`;
}

const ABOVE_CORE = [
  'os',
  'auth-file',
  'token-endpoint',
  'config',
  'keeper',
  'server',
  'client',
  'cli',
  'protocol.ts',
];
const COMPOSITION = ['daemon.ts', 'accounts.ts', 'keep-account.ts', 'surroundings.ts', 'inspect.ts'];

const FORBIDDEN_ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [...ABOVE_CORE, ...COMPOSITION],
  os: ['core', 'auth-file', 'token-endpoint', 'config', 'keeper', 'server', 'client', 'cli', ...COMPOSITION],
  'auth-file': ['token-endpoint', 'config', 'keeper', 'server', 'client', 'cli', ...COMPOSITION],
  'token-endpoint': ['auth-file', 'config', 'keeper', 'server', 'client', 'cli', ...COMPOSITION],
  config: ['auth-file', 'token-endpoint', 'keeper', 'server', 'client', 'cli', ...COMPOSITION],
  keeper: ['auth-file', 'token-endpoint', 'config', 'server', 'client', 'cli', 'protocol.ts', ...COMPOSITION],
  server: ['auth-file', 'token-endpoint', 'config', 'client', 'cli', ...COMPOSITION],
  client: ['auth-file', 'token-endpoint', 'config', 'keeper', 'server', 'cli', ...COMPOSITION],
  service: ['auth-file', 'token-endpoint', 'config', 'keeper', 'server', 'client', 'cli', ...COMPOSITION],
  cli: ['auth-file', 'token-endpoint', 'keeper', 'server', 'service', 'doctor', ...COMPOSITION],
};

const ALLOWED_ARROWS: Readonly<Record<string, readonly string[]>> = {
  os: ['errors.ts'],
  'auth-file': ['core', 'os', 'errors.ts'],
  'token-endpoint': ['core', 'os', 'errors.ts'],
  config: ['core', 'os', 'errors.ts', 'protocol.ts'],
  keeper: ['core', 'os', 'errors.ts'],
  server: ['core', 'os', 'errors.ts', 'protocol.ts', 'keeper'],
  client: ['core', 'os', 'errors.ts', 'protocol.ts'],
  cli: ['core', 'os', 'errors.ts', 'protocol.ts', 'client'],
};

describe('imports point one way', () => {
  for (const [from, targets] of Object.entries(FORBIDDEN_ARROWS)) {
    it(`${from} may not import ${targets.join(', ')}`, async () => {
      for (const target of targets) {
        const text = `import * as module from '${someModuleOf(target)}';\nexport { module };\n`;
        expect(await lint(`src/${from}/planted.ts`, text), `${from} -> ${target}`).not.toEqual([]);
      }
    });
  }

  for (const [from, targets] of Object.entries(ALLOWED_ARROWS)) {
    it(`${from} may import ${targets.join(', ')}`, async () => {
      for (const target of targets) {
        const text = `import * as module from '${someModuleOf(target)}';\nexport { module };\n`;
        expect(await lint(`src/${from}/planted.ts`, text), `${from} -> ${target}`).toEqual([]);
      }
    });
  }

  it('holds for import(), for export-from and for imports of types as well', async () => {
    const server = someModuleOf('server');
    expect(await lint('src/client/planted.ts', `await import('${server}');\n`)).not.toEqual([]);
    expect(await lint('src/client/planted.ts', `export * from '${server}';\n`)).not.toEqual([]);
    expect(await lint('src/client/planted.ts', `export type { A } from '${server}';\n`)).not.toEqual([]);
    expect(
      await lint('src/client/planted.ts', `import type { A } from '${server}';\nexport type B = A;\n`),
    ).not.toEqual([]);
    expect(await lint('src/client/planted.ts', `const name = 'x';\nawait import(name);\n`)).not.toEqual([]);
  });

  it('lets the command line reach the daemon, the service and the doctor with import() only', async () => {
    for (const part of [...COMPOSITION, 'service', 'doctor']) {
      const module = `../${someModuleOf(part)}`;
      const file = 'src/cli/commands/planted.ts';
      expect(await lint(file, `await import('${module}');\n`), part).toEqual([]);
      expect(await lint(file, `import '${module}';\n`), part).not.toEqual([]);
      expect(await lint(file, `export * from '${module}';\n`), part).not.toEqual([]);
      expect(await lint(file, `import type { A } from '${module}';\nexport type B = A;\n`), part).toEqual([]);
    }
  });

  it('lets core, protocol, keeper and config take types where they may take no code', async () => {
    const planted: readonly (readonly [file: string, module: string])[] = [
      ['src/core/planted.ts', '../errors.js'],
      ['src/protocol.ts', './errors.js'],
      ['src/protocol.ts', './core/state.js'],
      ['src/keeper/planted.ts', '../protocol.js'],
      ['src/config/planted.ts', someModuleOf('token-endpoint')],
    ];
    for (const [file, module] of planted) {
      expect(await lint(file, `import type { A } from '${module}';\nexport type B = A;\n`), file).toEqual([]);
      expect(await lint(file, `import { a } from '${module}';\nexport const b = a;\n`), file).not.toEqual([]);
    }
  });

  it('finds a circle of imports', async () => {
    const text = `import { readCredential } from './credential.js';\nexport const ask = readCredential;\n`;
    expect(await lint('src/client/request.ts', text)).toContain('import-x/no-cycle');
  });

  it('knows every part of src', async () => {
    const parts = readdirSync(join(root, 'src'), { withFileTypes: true }).filter(
      ({ name }) => name !== 'tsconfig.json',
    );
    for (const part of parts) {
      const file = part.isDirectory() ? join('src', part.name, 'planted.ts') : join('src', part.name);
      const elsewhere = part.name === 'cli' ? 'server/server.js' : 'cli/main.js';
      const text = `import '${part.isDirectory() ? '..' : '.'}/${elsewhere}';
`;
      expect(await lint(file, text), `${part.name} is named in eslint.config.js`).not.toEqual([]);
    }
  });
});

describe('modules that belong to one part', () => {
  const homes: Readonly<Record<string, readonly string[]>> = {
    undici: ['token-endpoint'],
    'node:https': ['token-endpoint'],
    'node:dns': ['token-endpoint'],
    'node:http': ['token-endpoint', 'server', 'client'],
    http: ['token-endpoint', 'server', 'client'],
    chokidar: ['auth-file'],
    koffi: ['os'],
  };
  const folders = Object.keys(FORBIDDEN_ARROWS);
  for (const [module, owners] of Object.entries(homes)) {
    it(`${module} is imported by ${owners.join(', ')} alone`, async () => {
      for (const folder of folders) {
        const isOwner = owners.includes(folder);
        for (const text of [`import '${module}';\n`, `await import('${module}');\n`]) {
          const found = await lint(`src/${folder}/planted.ts`, text);
          if (isOwner) expect(found, `${folder}: ${text}`).toEqual([]);
          else expect(found, `${folder}: ${text}`).not.toEqual([]);
        }
      }
    });
  }

  it('core imports hashing, the reading of JWTs and the editing of JSON, nothing else', async () => {
    for (const module of ['node:crypto', 'jose/jwt/decode', 'jsonc-parser']) {
      expect(await lint('src/core/planted.ts', `import '${module}';\n`), module).toEqual([]);
    }
    for (const module of [
      'node:fs',
      'fs',
      'jose',
      'jose/jwt/sign',
      'node:timers',
      'valibot',
      'jsonc-parser/x',
    ]) {
      expect(await lint('src/core/planted.ts', `import '${module}';\n`), module).not.toEqual([]);
      expect(await lint('src/core/planted.ts', `await import('${module}');\n`), module).not.toEqual([]);
    }
  });

  it('keeper imports no module that touches the world', async () => {
    for (const module of [
      'node:fs',
      'node:fs/promises',
      'undici',
      'chokidar',
      'pino',
      'node:child_process',
    ]) {
      expect(await lint('src/keeper/planted.ts', `import '${module}';\n`), module).not.toEqual([]);
    }
  });

  it('core and keeper have neither clock nor chance nor timers of their own', async () => {
    const reaches = [
      'Date.now()',
      'new Date()',
      'Math.random()',
      'setTimeout(f, 1)',
      'process.env',
      "fetch('x')",
    ];
    for (const folder of ['core', 'keeper']) {
      for (const reach of reaches) {
        expect(await lint(`src/${folder}/planted.ts`, `export const a = ${reach};\n`), reach).not.toEqual([]);
      }
      expect(await lint(`src/${folder}/planted.ts`, 'export const a = new Date(0);\n')).toEqual([]);
    }
  });
});
