import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, afterAll, expect, it, onTestFinished } from 'vitest';
import { readVersion } from '../../src/version.js';
import { ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import { npm, npmInstall } from '../support/npm.js';
import { makeTempDir, type TempDir } from '../support/temp-dir.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let directory: TempDir;
let prefix: string;
let program: string;

/** Packed as `npm publish` would, and installed into a directory where nothing else is. */
beforeAll(async () => {
  directory = await makeTempDir();
  const packed = await npm(
    ['pack', '--json', '--ignore-scripts', '--pack-destination', directory.path],
    ROOT,
  );
  const [{ filename }] = JSON.parse(packed) as [{ readonly filename: string }];
  prefix = join(directory.path, 'empty');
  await mkdir(prefix);
  await npmInstall(join(directory.path, filename), prefix);
  program = join(prefix, 'node_modules', '.bin', 'codex-authd');
}, 300_000);

afterAll(() => directory.remove());

it('brings its dependencies along, and none that are for its development', async () => {
  const names = await readdir(join(prefix, 'node_modules'));
  expect(names).toEqual(expect.arrayContaining(['codex-authd', 'chokidar', 'jose', 'undici', 'valibot']));
  for (const name of ['typescript', 'vitest', 'eslint', 'fast-check']) expect(names).not.toContain(name);
});

it('runs from there: version, manual page, daemon and token', async () => {
  const sandbox = await ownSandbox();
  const login = makeLoginTokens();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(login));
  const { env } = sandbox;
  const ask = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)(program, args, { env })).stdout;
  expect(await ask('version')).toBe(`codex-authd ${readVersion()} (node ${process.version})\n`);
  expect(await ask('help', '--man')).toContain('.TH CODEX-AUTHD 1');

  const daemon = spawn(await realpath(program), ['run'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(async () => {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    daemon.kill('SIGKILL');
    await once(daemon, 'close');
  });
  for await (const piece of daemon.stderr.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    if (String(piece).includes('"msg":"listening"')) break;
  }
  expect(await ask('token')).toBe(`${login.access_token}\n`);
  daemon.stderr.resume();
  daemon.kill('SIGTERM');
  expect(await once(daemon, 'close')).toEqual([0, null]);
});

it('is a library as well, for whoever imports it by its name', async () => {
  const script = join(prefix, 'consumer.mjs');
  await writeFile(
    script,
    "import * as authd from 'codex-authd';\nconsole.log(Object.keys(authd).length > 0);\n",
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  expect(stdout).toBe('true\n');
});
