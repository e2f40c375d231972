import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';
import { startScriptedDaemon, type ScriptedDaemon } from './scripted-daemon.js';

const ROOT = new URL('../../', import.meta.url).href;

/** What of node costs next to nothing: it has loaded most of that itself before it comes to any program. */
const LIGHT = ['node:fs', 'node:fs/promises', 'node:os', 'node:path', 'node:url'];

let sandbox: Sandbox;
let daemon: ScriptedDaemon | undefined;

beforeEach(async () => {
  sandbox = await makeSandbox();
  daemon = await startScriptedDaemon(sandbox.socket);
});

afterEach(async () => {
  await daemon?.close();
  await sandbox.remove();
});

/** A loader that writes down the URL of every module on its way in. */
function recorder(report: string): string {
  const hooks = `
    import { appendFileSync } from 'node:fs';
    export async function load(url, context, next) {
      appendFileSync(${JSON.stringify(report)}, url + '\\n');
      return next(url, context);
    }`;
  const register = `
    import { register } from 'node:module';
    register(${JSON.stringify(dataUrl(hooks))});`;
  return dataUrl(register);
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** The modules that a command line loads, without those that come with node; ours relative to the root. */
async function modulesOf(args: readonly string[]): Promise<{ code: number | null; modules: string[] }> {
  const report = join(sandbox.directory, 'modules');
  const { code } = await runCli(sandbox, args, {
    nodeArgs: ['--no-warnings', '--import', recorder(report)],
    env: { NODE_OPTIONS: '' },
  });
  const urls = (await readFile(report, 'utf8')).trimEnd().split('\n');
  return {
    code,
    modules: urls.filter((url) => !url.startsWith('data:')).map((url) => url.replace(ROOT, '')),
  };
}

describe('what is loaded', () => {
  it('by `token`: node:http, and only the files of ours that it needs', async () => {
    const { code, modules } = await modulesOf(['token', '--socket', sandbox.socket]);
    expect(code).toBe(0);
    expect(modules).toContain('node:http');
    expect(modules.filter((name) => !name.startsWith('node:')).sort()).toEqual([
      'bin/codex-authd.js',
      'dist/cli/ask-credential.js',
      'dist/cli/commands/token.js',
      'dist/cli/exit-codes.js',
      'dist/cli/main.js',
      'dist/cli/nearest.js',
      'dist/cli/output.js',
      'dist/cli/parse.js',
      'dist/cli/reach-daemon.js',
      'dist/cli/seconds.js',
      'dist/cli/table.js',
      'dist/cli/version-skew.js',
      'dist/client/answered.js',
      'dist/client/choose-account.js',
      'dist/client/credential.js',
      'dist/client/deadline.js',
      'dist/client/failures.js',
      'dist/client/find-socket.js',
      'dist/client/request.js',
      'dist/client/shapes.js',
      'dist/errors.js',
      'dist/os/paths.js',
      'dist/protocol.js',
      'dist/version.js',
    ]);
  });

  it.each([
    ['help'],
    ['version'],
    ['token'],
    ['credential'],
    ['status'],
    ['refresh'],
    ['exec', '--', 'true'],
  ])('by `%s` while the daemon runs: no dependency', async (...args) => {
    const { code, modules } = await modulesOf(args);
    expect(code).toBe(0);
    expect(modules.filter((name) => name.includes('node_modules'))).toEqual([]);
  });

  it('by `help` and a misspelt command: not even node:http', async () => {
    expect((await modulesOf(['help', 'token'])).modules).not.toContain('node:http');
    const { code, modules } = await modulesOf(['tokn']);
    expect(code).toBe(2);
    expect(modules).not.toContain('node:http');
  });

  it('by `run`, however: its dependencies, so the record is one', async () => {
    const long = join(sandbox.directory, 'x'.repeat(200));
    const { modules } = await modulesOf(['run', '--socket', long]);
    expect(modules.filter((name) => name.includes('node_modules/pino/'))).not.toEqual([]);
  });

  it('by importing the package: no dependency, nothing heavy of node, and nothing of the daemon', async () => {
    const report = join(sandbox.directory, 'modules');
    await promisify(execFile)(
      process.execPath,
      ['--no-warnings', '--import', recorder(report), fileURLToPath(new URL('dist/index.js', ROOT))],
      { env: {} },
    );
    const modules = (await readFile(report, 'utf8')).trimEnd().split('\n');
    expect(modules).toContain(`${ROOT}dist/index.js`);
    expect(modules.filter((url) => /node_modules|\/dist\/(daemon|server|keeper|cli\/)/.test(url))).toEqual(
      [],
    );
    expect(modules.filter((url) => url.startsWith('node:')).sort()).toEqual(LIGHT);
  });
});
