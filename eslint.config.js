import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Imports point one way: cli -> client -> protocol; cli -> daemon, inspect (lazily) -> everything below them;
 * server -> keeper; all -> core, os, errors; core -> nothing. Client and server never import each other.
 *
 * What each part of src may import beside itself, in addition to the commons; `types` may be imported as types only.
 */
const COMMONS = ['core', 'os', 'errors.ts', 'version.ts'];
const COMPOSITION = [
  'daemon.ts',
  'accounts.ts',
  'keep-account.ts',
  'load-ahead.ts',
  'surroundings.ts',
  'inspect.ts',
];
const BELOW_COMPOSITION = [
  'protocol.ts',
  'config',
  'auth-file',
  'token-endpoint',
  'keeper',
  'server',
  'notices',
  'service',
];
const PARTS = {
  'errors.ts': { may: [] },
  'version.ts': { may: [] },
  'protocol.ts': { may: [], types: ['core', 'errors.ts'] },
  core: { may: [], types: ['errors.ts'] },
  os: { may: ['errors.ts'] },
  'auth-file': { may: COMMONS },
  'token-endpoint': { may: COMMONS },
  config: { may: [...COMMONS, 'protocol.ts'], types: ['token-endpoint', 'notices'] },
  keeper: { may: ['core', 'os', 'errors.ts'], types: ['protocol.ts'] },
  server: { may: [...COMMONS, 'protocol.ts', 'keeper'] },
  service: { may: COMMONS },
  notices: { may: [...COMMONS, 'protocol.ts', 'keeper', 'server/bodies.ts'] },
  client: { may: [...COMMONS, 'protocol.ts'] },
  // What can be told of the accounts without a daemon is loaded where there is none.
  doctor: {
    may: [...COMMONS, 'protocol.ts', 'config', 'auth-file', 'token-endpoint', 'client'],
    types: ['daemon.ts'],
    lazy: ['inspect.ts'],
  },
  // `lazy` may be imported with import() only: a command that asks the daemon must not load one (facts 5.10).
  cli: {
    may: [...COMMONS, 'protocol.ts', 'client', 'config/flags.ts'],
    lazy: [...COMPOSITION, 'service', 'doctor'],
  },
  ...Object.fromEntries(
    COMPOSITION.map((root) => [root, { may: [...COMMONS, ...BELOW_COMPOSITION, ...COMPOSITION] }]),
  ),
  'index.ts': { may: ['client', 'protocol.ts', 'errors.ts'], types: ['core'] },
};

/** Modules that belong to a few parts, each named by a regular expression, and what the others should do. */
const GUARDED = [
  { name: 'undici', only: ['token-endpoint'], instead: 'token-endpoint is the only folder that does HTTP' },
  {
    name: '(node:)?(https|http2|tls|dns|dns/promises|dgram)',
    only: ['token-endpoint'],
    instead: 'token-endpoint is the only folder that reaches the network',
  },
  {
    name: '(node:)?http',
    only: ['token-endpoint', 'server', 'client'],
    instead: 'only server and client speak HTTP on the socket',
  },
  { name: 'chokidar', only: ['auth-file'], instead: 'auth-file watches for everyone' },
  { name: 'koffi', only: ['os'], instead: 'native calls belong into os' },
];

/** Parts that import no module but these: the world reaches them through interfaces, or not at all. */
const PURE = {
  // Hashing is pure computation: it needs no permission, no file and no time.
  core: ['node:crypto', 'jose/jwt/decode', 'jsonc-parser'],
  keeper: [],
  'errors.ts': [],
  'protocol.ts': [],
};

const WORLD = [
  ...['process', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'performance'],
  ...['fetch', 'WebSocket', 'EventSource', 'crypto', 'console'],
].map((name) => ({ name, message: 'what touches the world comes from outside, as a parameter' }));

function zone(part) {
  const { may, types = [], lazy = [] } = PARTS[part];
  const allowed = [...new Set([part, ...may, ...types, ...lazy])];
  return {
    target: `src/${part}`,
    from: 'src',
    except: allowed.map((path) => `./${path}`),
    message: `src/${part} may import only: ${allowed.join(', ')}.`,
  };
}

function restrictionsOf(part) {
  const { types = [], lazy = [] } = PARTS[part];
  const guarded = GUARDED.filter(({ only }) => !only.includes(part));
  const pure = PURE[part];
  const modules = [
    ...guarded.map(({ name, instead }) => ({ regex: `^${name}$`, message: instead })),
    ...(pure === undefined
      ? []
      : [
          {
            regex: `^(?!\\.{1,2}/|(${['#', ...pure].join('|')})$)`,
            message: `${part} imports no such module`,
          },
        ]),
  ];
  const typesOnly = [...types, ...lazy].map((path) => ({
    regex: `^(\\./|(\\.\\./)+)${path.replace('.ts', '\\.js')}($|/)`,
    message: lazy.includes(path) ? 'import it lazily' : 'import types only',
    allowTypeImports: true,
  }));
  return {
    files: [part.endsWith('.ts') ? `src/${part}` : `src/${part}/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [...modules, ...typesOnly] }],
      'no-restricted-syntax': ['error', ...modules.map(forbidLazy), ...SECRET_WAYS, ...timelessOf(part)],
      'no-restricted-globals': ['error', ...(pure === undefined ? NETWORK_GLOBALS : WORLD)],
    },
  };
}

/** The same for `import()`, which no-restricted-imports does not see. */
function forbidLazy({ regex, message }) {
  return { selector: `ImportExpression[source.value=/${regex.replaceAll('/', '\\u002F')}/]`, message };
}

const SECRET_WAYS = [
  {
    selector: 'ImportExpression:not([source.type="Literal"])',
    message: 'name the module, so that the direction of this import can be checked',
  },
  {
    selector: ':matches(Identifier[name="createRequire"], Identifier[name="getBuiltinModule"])',
    message: 'import it, so that the direction of this import can be checked',
  },
];

const NETWORK_GLOBALS = ['fetch', 'WebSocket', 'EventSource'].map((name) => ({
  name,
  message: 'token-endpoint is the only folder that reaches the network, and it uses undici',
}));

function timelessOf(part) {
  if (PURE[part] === undefined) return [];
  const message = 'time and chance come from outside, as parameters';
  return [
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message },
    { selector: 'MemberExpression[object.name="Date"][property.name="now"]', message },
    { selector: 'MemberExpression[object.name="Math"][property.name="random"]', message },
  ];
}

const parts = Object.keys(PARTS);

export default defineConfig(
  // The example for the SDK is compiled against the real one, which is no dependency: test/codex/examples.test.ts.
  { ignores: ['dist/', 'coverage/', '.cache/', 'examples/codex-sdk/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // `const { token, ...rest } = body` is the way to leave a field out.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Vitest's asymmetric matchers (`expect.any(String)`) and `once()` of node:events are `any` by declaration.
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: 'tsconfig.json' })],
      // Without it, no-cycle looks into no TypeScript file and finds nothing.
      'import-x/extensions': ['.ts'],
    },
    rules: {
      // The table of commands names commands that look into the table: import() is what breaks that circle.
      'import-x/no-cycle': ['error', { allowUnsafeDynamicCyclicDependency: true }],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: parts.map(zone) }],
    },
  },
  ...parts.map(restrictionsOf),
  {
    // The one file that makes requests for its caller, who reads the current credential: with the caller's own fetch.
    files: ['src/client/http/authorized-fetch.ts'],
    rules: {
      'no-restricted-globals': ['error', ...NETWORK_GLOBALS.filter(({ name }) => name !== 'fetch')],
    },
  },
);
