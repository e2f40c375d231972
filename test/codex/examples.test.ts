import { execFile } from 'node:child_process';
import { copyFile, symlink, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { CODEX_INSTALL_TIMEOUT_MS, codexBinary, sdkPackage } from '../support/codex-binary.js';
import { codexEnvironment, configureCodex } from '../support/codex-process.js';
import { ownSandbox } from '../support/daemon-process.js';
import { exampleFile, runProgram } from '../support/example.js';
import { publishedFingerprint, refreshTokensIn } from '../support/published-home.js';
import { scratchDir } from '../support/scratch-dir.js';
import { fingerprintOf } from '../support/tokens.js';
import { startDaemon } from './sdk-stage.js';
import { isCodex, logIn, NOBODY_REFRESHES_S, setStage, tokensInFile } from './stage-set.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSX = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

const FRESH = { lifetimeSeconds: NOBODY_REFRESHES_S };

let sdk = '';
let codex = '';
beforeAll(async () => {
  sdk = await sdkPackage();
  codex = await codexBinary('0.169.0');
}, CODEX_INSTALL_TIMEOUT_MS);

/** The directory of somebody who has installed the SDK and this package, and has copied the example. */
async function project(): Promise<string> {
  const directory = await scratchDir();
  const modules = join(directory, 'node_modules');
  await mkdir(join(modules, '@openai'), { recursive: true });
  await symlink(sdk, join(modules, '@openai', 'codex-sdk'));
  await symlink(ROOT, join(modules, 'codex-authd'));
  await symlink(join(ROOT, 'node_modules', '@types'), join(modules, '@types'));
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await copyFile(exampleFile('codex-sdk/ask.ts'), join(directory, 'ask.ts'));
  return directory;
}

describe('the example for the Codex SDK', () => {
  it('is what the compiler takes, in its strictest mode', async () => {
    const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'];
    const target = ['--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const compiling = promisify(execFile)(process.execPath, [TSC, ...flags, ...target, 'ask.ts'], {
      cwd: await project(),
    });
    expect(await compiling).toMatchObject({ stdout: '' });
  });

  it('prints an answer for each question, also where the server has ended the token before its time', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, FRESH);
    const { endpoint, model, sandbox } = await startDaemon(stage);
    endpoint.endAccessToken(token);
    model.reply = '2';
    const env = await codexEnvironment({ sandbox, tokenEndpoint: endpoint.url });
    const program = [process.execPath, TSX, 'ask.ts', 'what is 1+1?', 'and the same again?'];
    const end = await runProgram(sandbox, program, { env, cwd: await project() });
    expect(end).toMatchObject({ code: 0, stdout: '2\n2\n' });
    expect(model.turns('unauthorized')[0]).toMatchObject({ fingerprint: fingerprintOf(token) });
    expect(model.turns('answered')).toHaveLength(2);
    expect(JSON.stringify(model.turns('answered')[1]?.body)).toMatch(/what is 1\+1.*and the same again/);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
  });
});

describe('the example for a container, without an engine', () => {
  it('runs a Codex that sees the published home and neither the login nor the socket, turn after turn', async () => {
    const stage = await setStage('');
    await logIn(stage, FRESH);
    const { daemon, endpoint, model, sandbox } = await startDaemon(stage);
    const other = await ownSandbox();
    const directory = other.codexHome;
    await configureCodex(other, model.baseUrl);
    expect(await runCli(sandbox, ['publish', directory])).toMatchObject({ code: 0 });

    const { CODEX_HOME: _unset, ...env } = await codexEnvironment({ sandbox, tokenEndpoint: endpoint.url });
    const runtime = await scratchDir();
    await writeFile(join(runtime, 'of-others'), '');
    const inside = (...command: string[]) =>
      runProgram(sandbox, ['sh', exampleFile('container/without-engine.sh'), directory, ...command], {
        env: { ...env, TMPDIR: other.directory, XDG_RUNTIME_DIR: runtime },
      });
    const turn = () => inside(codex, 'exec', '--skip-git-repo-check', 'what is 1+1?');
    model.reply = '2';
    const before = await publishedFingerprint(directory);
    expect(await turn()).toMatchObject({ code: 0, stdout: '2\n' });

    expect(await daemon.ask('/v1/refresh', 'POST')).toMatchObject({ status: 200 });
    while ((await publishedFingerprint(directory)) === before);
    expect(await turn()).toMatchObject({ code: 0, stdout: '2\n' });
    const after = await publishedFingerprint(directory);
    expect(model.turns('answered').map(({ fingerprint }) => fingerprint)).toEqual([before, after]);
    expect(model.turns('unauthorized')).toEqual([]);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);

    const { refresh_token: secret } = await tokensInFile(stage);
    const looks = [
      ['grep', '-rlF', secret, sandbox.directory],
      ['ls', daemon.socket],
    ];
    for (const look of looks) {
      expect(await inside(...look), look[0]).toMatchObject({ stdout: '' });
      // The same look from outside, where both are in sight.
      expect((await runProgram(sandbox, look)).stdout, look[0]).toContain(sandbox.directory);
    }
    expect(await inside('ls', '-A', sandbox.directory)).toMatchObject({ code: 0, stdout: '.codex\n' });
    expect(await inside('ls', '-A', runtime)).toMatchObject({ code: 0, stdout: '' });
    expect((await inside('ls', join(sandbox.codexHome, 'auth.json'))).code).toBe(0);
    expect(await refreshTokensIn(directory)).toEqual([]);
  });
});
