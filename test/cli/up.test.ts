import { spawn } from 'node:child_process';
import { chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { expect, it, onTestFinished } from 'vitest';
import { ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import { CLI, runCli } from './run-cli.js';

it('starts the daemon in the background where there is no service manager, and `token` then has one', async () => {
  const sandbox = await ownSandbox();
  const tokens = makeLoginTokens();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(tokens));
  const up = await runCli(sandbox, ['up']);
  try {
    expect(up).toMatchObject({ code: 0 });
    expect(up.stdout).toMatch(/^.*auth\.json: ada@example\.test \(pro\), expires in 9 d/);
    expect(up.stdout).toContain('\ntry it: codex-authd token\n');
    expect(up.stderr).toMatch(/hint: there is no systemd user manager here: .*; the daemon is a process/);
    expect(await runCli(sandbox, ['token'])).toMatchObject({ code: 0, stdout: `${tokens.access_token}\n` });
    const log = join(sandbox.env['XDG_STATE_HOME'] ?? '', 'codex-authd', 'daemon.log');
    expect((await stat(log)).mode & 0o777).toBe(0o600);
    expect(await readFile(log, 'utf8')).toContain('"msg":"listening"');
    expect((await runCli(sandbox, ['up'])).stdout).toContain('a daemon runs already (pid ');
  } finally {
    expect((await runCli(sandbox, ['down'])).stdout).toMatch(/^stop the daemon \(pid \d+\)\n$/);
  }
  expect(await runCli(sandbox, ['token'])).toMatchObject({ code: 3 });
  expect(await runCli(sandbox, ['down'])).toMatchObject({
    code: 0,
    stdout: 'nothing to do: no daemon runs\n',
  });
});

it('`up` keeps the home that it was called with, also where that is relative to the caller', async () => {
  const sandbox = await ownSandbox();
  const home = join(sandbox.directory, 'elsewhere');
  await mkdir(home, { mode: 0o700 });
  await writeAuthFile(join(home, 'auth.json'), chatgptFile(makeLoginTokens()));
  const env = { ...sandbox.env, CODEX_HOME: 'elsewhere', NOTIFY_SOCKET: '/not-ours' };
  const up = await runCli(sandbox, ['up'], { env });
  try {
    expect(up).toMatchObject({ code: 0 });
    const status = await runCli(sandbox, ['status', '--json'], { env });
    expect(JSON.parse(status.stdout)).toMatchObject({
      accounts: [{ auth_file: join(home, 'auth.json'), state: 'fresh' }],
    });
  } finally {
    await runCli(sandbox, ['down'], { env });
  }
});

it('two `up` at once start one daemon, and both say that it runs', async () => {
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
  try {
    const both = await Promise.all([runCli(sandbox, ['up']), runCli(sandbox, ['up'])]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const pids = both.map(({ stdout }) => /\(pid (\d+)\)/.exec(stdout)?.[1]);
    expect(new Set(pids).size).toBe(1);
  } finally {
    await runCli(sandbox, ['down']);
  }
});

it('`down` is done when the daemon has ended, also where nobody waits for it and it stays in the table', async () => {
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
  // As the first process of many a container: what has become `sleep` never asks how its children ended.
  const parent = spawn('sh', ['-c', '"$0" "$1" run & exec sleep 600', process.execPath, CLI], {
    env: sandbox.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => {
    parent.kill('SIGKILL');
  });
  for await (const line of createInterface(parent.stderr)) if (line.includes('"msg":"listening"')) break;
  const { stdout, ...down } = await runCli(sandbox, ['down']);
  expect(down).toMatchObject({ code: 0 });
  const [, pid] = /\(pid (\d+)\)/.exec(stdout) ?? [];
  expect(await readFile(`/proc/${String(pid)}/status`, 'utf8')).toMatch(/^State:\tZ/m);
});

it('a log in the background that has got long is put aside when the daemon is started again', async () => {
  const sandbox = await ownSandbox();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
  const log = join(sandbox.env['XDG_STATE_HOME'] ?? '', 'codex-authd', 'daemon.log');
  await mkdir(dirname(log), { recursive: true, mode: 0o700 });
  const long = 'x'.repeat(5 * 1024 * 1024);
  await writeFile(log, long);
  try {
    expect(await runCli(sandbox, ['up'])).toMatchObject({ code: 0 });
    expect(await readFile(`${log}.old`, 'utf8')).toBe(long);
    expect(await readFile(log, 'utf8')).toMatch(/^\{.*"msg":"listening"/m);
  } finally {
    await runCli(sandbox, ['down']);
  }
});

it.runIf(process.getuid?.() === 0)('nothing is started with sudo in a home of somebody else', async () => {
  const sandbox = await ownSandbox();
  const home = sandbox.directory;
  const env = { ...sandbox.env, SUDO_UID: '65534' };
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(makeLoginTokens()));
  await chown(home, 65534, 65534);
  for (const command of ['up', 'run']) {
    const { code, stdout, stderr } = await runCli(sandbox, [command], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`with sudo, the daemon would keep ${home} as root`);
    expect(stderr).toContain('hint: run it as yourself, without sudo');
  }
  await chown(home, 0, 0);
  await chown(sandbox.codexHome, 65534, 65534);
  expect((await runCli(sandbox, ['up'], { env })).stderr).toContain(
    `would keep ${sandbox.codexHome} as root`,
  );
  await chown(sandbox.codexHome, 0, 0);
  const ofRoot = await runCli(sandbox, ['up'], { env });
  await runCli(sandbox, ['down'], { env });
  expect(ofRoot).toMatchObject({ code: 0 });
});

it('`up` starts nothing without a login, and says how to get one', async () => {
  const sandbox = await ownSandbox();
  const { code, stdout, stderr } = await runCli(sandbox, ['up']);
  expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
  expect(stderr).toMatch(/hint: .*codex login.*, then run `codex-authd up` again\n$/);
});

it('`service` says where there is no manager, with the line that runs the daemon by hand', async () => {
  const sandbox = await ownSandbox();
  const { code, stdout, stderr } = await runCli(sandbox, ['service', 'install']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/error: there is no systemd user manager here/);
  expect(stderr).toMatch(/hint: run it yourself: `\S+node\S* \S+codex-authd\.js run`/);
  expect(await runCli(sandbox, ['service', 'bogus'])).toMatchObject({ code: 2 });
  const printed = await runCli(sandbox, ['service', 'print']);
  expect(printed.stdout).toContain(`ExecStart=${process.execPath} `);
});
