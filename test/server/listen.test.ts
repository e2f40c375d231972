import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AuthdError, type ErrorCode } from '../../src/errors.js';
import { ask, start, temporaryDirectory, until } from './harness.js';

const ANOTHER_DIRECTORY = 'choose a path in a directory of its own with --socket';
const LONGEST = process.platform === 'darwin' ? 103 : 107;

describe('the socket', () => {
  it.each([0o000, 0o022, 0o077, 0o777])('is 0600 in a directory of 0700 with the umask %o', async (umask) => {
    const directory = join(await temporaryDirectory(), 'run');
    const before = process.umask(umask);
    try {
      await start({ socketPath: join(directory, 'authd.sock') });
    } finally {
      process.umask(before);
    }
    expect(await modeOf(directory)).toBe(0o700);
    expect(await modeOf(join(directory, 'authd.sock'))).toBe(0o600);
  });

  it('leaves nothing beside it, and nothing at all after the end', async () => {
    const directory = await temporaryDirectory();
    const { server } = await start({ socketPath: join(directory, 'authd.sock') });
    expect(await readdir(directory)).toEqual(['authd.sock']);
    await server.close();
    expect(await readdir(directory)).toEqual([]);
  });

  it('is made in a directory that is missing, with all above it', async () => {
    const directory = join(await temporaryDirectory(), 'a', 'b', 'c');
    const { socketPath } = await start({ socketPath: join(directory, 'authd.sock') });
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
  });

  it('can have a path of exactly the longest length, and not a byte more', async () => {
    const directory = await temporaryDirectory();
    const fill = (length: number): string => join(directory, 's'.repeat(length - directory.length - 1));
    const { socketPath } = await start({ socketPath: fill(LONGEST) });
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
    const error = await refusal(fill(LONGEST + 1));
    expect(error.code).toBe('bad_socket');
    expect(error.message).toContain(
      `${String(LONGEST + 1)} bytes, the limit of this system is ${String(LONGEST)}`,
    );
    expect(error.hint).toBe('choose a shorter path with --socket');
  });

  it('whose path is too long is refused before anything is touched', async () => {
    const directory = await temporaryDirectory();
    // Counted in bytes, not in characters.
    const error = await refusal(join(directory, 'new', 'ü'.repeat(60)));
    expect(error.code).toBe('bad_socket');
    expect(await readdir(directory)).toEqual([]);
  });

  it('whose name is too short for a temporary one beside it says so', async () => {
    const directory = join(await temporaryDirectory(), 'd');
    const deep = directory.padEnd(LONGEST - 2, 'd');
    const error = await refusal(join(deep, 's'));
    expect(error).toMatchObject({ code: 'bad_socket' });
    expect(error.message).toContain('a temporary name beside the socket');
  });

  it('has no zero byte in its path, which would make it an abstract one', async () => {
    expect(await refusal('\0authd')).toMatchObject({ code: 'bad_socket' });
  });
});

describe('a directory that is not safe is refused with a hint:', () => {
  it.each([0o755, 0o710, 0o701, 0o770])('mode %o', async (mode) => {
    const directory = await temporaryDirectory();
    await chmod(directory, mode);
    const error = await refusal(join(directory, 'authd.sock'));
    expect(error).toMatchObject({ code: 'bad_socket', hint: closing(directory) });
    expect(error.message).toContain(`mode 0${mode.toString(8)}`);
    expect(await modeOf(directory)).toBe(mode);
    expect(await readdir(directory)).toEqual([]);
  });

  it('one that holds nothing but what daemons leave may be closed', async () => {
    const directory = await temporaryDirectory();
    await chmod(directory, 0o755);
    await listenAndDie(join(directory, 'authd.sock'));
    await listenAndDie(join(directory, '.~dead'));
    await mkdir(join(directory, 'authd.sock.lock'));
    expect((await refusal(join(directory, 'authd.sock'))).hint).toBe(closing(directory));
  });

  it('one by the name of the program may be closed, whatever it holds; the hint is safe to paste', async () => {
    const directory = join(await temporaryDirectory(), "it's $(mine)", 'codex-authd');
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
    await writeFile(join(directory, 'notes'), '');
    const { hint = '' } = await refusal(join(directory, 'authd.sock'));
    expect(hint).toBe(closing(directory));
    execFileSync('/bin/sh', ['-c', /`(.*)`/.exec(hint)?.[1] ?? 'exit 1']);
    expect(await modeOf(directory)).toBe(0o700);
  });

  it.each([
    ['a home, or whatever else holds a file of others', 0o755, ['.profile']],
    ['one with the socket of another program', 0o755, ['other.sock']],
    ['one that is everybody’s, even while it is empty', 0o1777, []],
  ])('%s is not to be closed for the sake of a socket', async (_name, mode, names) => {
    const directory = await temporaryDirectory();
    await chmod(directory, mode);
    for (const name of names) await writeFile(join(directory, name), '');
    const error = await refusal(join(directory, 'authd.sock'));
    expect(error).toMatchObject({ code: 'bad_socket', hint: ANOTHER_DIRECTORY });
  });

  it('another owner', async () => {
    // Root gives a directory away; anybody else is not the owner of the root directory.
    const directory = process.getuid?.() === 0 ? await temporaryDirectory() : '/';
    if (directory !== '/') await chown(directory, 12345, 12345);
    const error = await refusal(join(directory, 'authd.sock'));
    expect(error.code).toBe('bad_socket');
    expect(error.message).toContain('belongs to another user');
  });

  it('a file in its place', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'run'), 'a file');
    const error = await refusal(join(directory, 'run', 'authd.sock'));
    expect(error.code).toBe('bad_socket');
    expect(error.message).toContain('is not a directory');
    const above = await refusal(join(directory, 'run', 'deeper', 'authd.sock'));
    expect(above.code).toBe('bad_socket');
    expect(await readFile(join(directory, 'run'), 'utf8')).toBe('a file');
  });

  it('a link to an open one', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'open'));
    await chmod(join(directory, 'open'), 0o755);
    await symlink('open', join(directory, 'run'));
    expect(await refusal(join(directory, 'run', 'authd.sock'))).toMatchObject({ code: 'bad_socket' });
  });
});

describe('what is at the path already', () => {
  it('a regular file is refused and stays as it is', async () => {
    const socketPath = join(await temporaryDirectory(), 'authd.sock');
    await writeFile(socketPath, 'mine');
    const error = await refusal(socketPath);
    expect(error.code).toBe('bad_socket');
    expect(error.message).toContain('no socket');
    expect(await readFile(socketPath, 'utf8')).toBe('mine');
  });

  it.each(['nowhere', 'real.sock'])('a symlink to %s is refused and stays as it is', async (target) => {
    const directory = await temporaryDirectory();
    const child = await listenAndDie(join(directory, 'real.sock'));
    expect(child.signalCode).toBe('SIGKILL');
    await symlink(target, join(directory, 'authd.sock'));
    expect(await refusal(join(directory, 'authd.sock'))).toMatchObject({ code: 'bad_socket' });
    expect((await lstat(join(directory, 'authd.sock'))).isSymbolicLink()).toBe(true);
  });

  it('a directory is refused and stays', async () => {
    const socketPath = join(await temporaryDirectory(), 'authd.sock');
    await mkdir(socketPath);
    expect(await refusal(socketPath)).toMatchObject({ code: 'bad_socket' });
    expect((await lstat(socketPath)).isDirectory()).toBe(true);
  });

  it('the socket of a killed process is replaced', async () => {
    const socketPath = join(await temporaryDirectory(), 'authd.sock');
    await listenAndDie(socketPath);
    expect((await lstat(socketPath)).isSocket()).toBe(true);
    await start({ socketPath });
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
    expect(await modeOf(socketPath)).toBe(0o600);
  });

  it('the socket of a daemon that runs is refused, with its pid and version, and that daemon serves on', async () => {
    const { socketPath } = await start();
    const error = await refusal(socketPath);
    expect(error.code).toBe('already_running');
    expect(error.message).toContain(`codex-authd 1.2.3 (pid ${String(process.pid)})`);
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
  });

  it.each([
    ['speaks something else', 'what do you want?\n'],
    ['speaks HTTP with something else in it', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull'],
    ['hangs up', null],
  ])('the socket of a program that %s is refused too', async (_name, answer) => {
    const socketPath = join(await temporaryDirectory(), 'authd.sock');
    await listenWith(socketPath, answer);
    const error = await refusal(socketPath);
    expect(error).toMatchObject({
      code: 'already_running',
      message: `somebody already listens at ${socketPath}`,
    });
  });

  it('a temporary socket that a killed daemon left is removed, one of a living one is not', async () => {
    const directory = await temporaryDirectory();
    const [dead, fresh, alive] = ['.~dead', '.~0000', '.~1111'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await listenAndDie(dead);
    await listenAndDie(fresh);
    await listenWith(alive, null);
    await writeFile(join(directory, '.~file'), 'mine');
    const longAgo = new Date(Date.now() - 60_000);
    for (const path of [dead, alive, join(directory, '.~file')]) await utimes(path, longAgo, longAgo);
    await start({ socketPath: join(directory, 'authd.sock') });
    expect((await readdir(directory)).sort()).toEqual(['.~0000', '.~1111', '.~file', 'authd.sock']);
  });

  it('the lock of a killed daemon is taken over and removed', async () => {
    const directory = await temporaryDirectory();
    const lock = join(directory, 'authd.sock.lock');
    await mkdir(lock);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    await start({ socketPath: join(directory, 'authd.sock') });
    expect(await readdir(directory)).toEqual(['authd.sock']);
  });

  it('a lock that cannot be made is an error that names it', async () => {
    const directory = await temporaryDirectory();
    const lock = join(directory, 'authd.sock.lock');
    await writeFile(lock, 'mine');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    const error = await refusal(join(directory, 'authd.sock'));
    expect(error.code).toBe('bad_socket');
    expect(error.message).toContain(lock);
    expect(await readFile(lock, 'utf8')).toBe('mine');
  });
});

describe('two servers', () => {
  it.each([1, 2, 3, 4, 5])('that start at the same instant: exactly one wins (round %i)', async () => {
    const socketPath = join(await temporaryDirectory(), 'authd.sock');
    await listenAndDie(socketPath);
    const started = await Promise.allSettled(
      ['1.0.0', '2.0.0', '3.0.0', '4.0.0'].map((version) => start({ socketPath, version })),
    );
    const winners = started.filter(({ status }) => status === 'fulfilled');
    const losers = started.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(winners).toHaveLength(1);
    for (const loser of losers) expect(loser).toMatchObject({ code: 'already_running' });
    const winner = started.findIndex(({ status }) => status === 'fulfilled');
    const status = JSON.parse((await ask(socketPath, '/v1/status')).body) as { version: string };
    expect(status.version).toBe(`${String(winner + 1)}.0.0`);
  });

  it('in processes of their own: exactly one wins', async () => {
    const directory = await temporaryDirectory();
    const socketPath = join(directory, 'authd.sock');
    await listenAndDie(socketPath);
    const contenders = await Promise.all([0, 1, 2].map(() => spawnContender(socketPath)));
    for (const { child } of contenders) child.stdin?.write('go\n');
    const outcomes = await Promise.all(contenders.map(({ outcome }) => outcome()));
    expect(outcomes.sort()).toEqual(['already_running', 'already_running', 'started']);
    expect((await ask(socketPath, '/v1/status')).status).toBe(200);
    expect(await readdir(directory)).toEqual(['authd.sock']);
  });

  it('where the second replaced the first: closing the first leaves the socket of the second', async () => {
    const first = await start();
    // As when somebody removes the file of a daemon that runs.
    await rm(first.socketPath);
    const second = await start({ socketPath: first.socketPath, version: '2.0.0' });
    await first.server.close();
    expect(JSON.parse((await ask(second.socketPath, '/v1/status')).body)).toMatchObject({ version: '2.0.0' });
  });

  it('can follow each other', async () => {
    const first = await start();
    await first.server.close();
    const second = await start({ socketPath: first.socketPath, version: '2.0.0' });
    expect((await ask(second.socketPath, '/v1/status')).status).toBe(200);
  });
});

describe('replacing a stale socket', () => {
  it('happens in one step, with no moment without one', async () => {
    const directory = await temporaryDirectory();
    const socketPath = join(directory, 'authd.sock');
    await listenAndDie(socketPath);
    const watcher = watch(directory);
    const changed: (string | null)[] = [];
    watcher.on('change', (_type, name) => changed.push(String(name)));
    await start({ socketPath });
    // The marker comes after everything else.
    await writeFile(join(directory, 'marker'), '');
    await until(() => changed.includes('marker'));
    watcher.close();
    expect(changed.filter((name) => name === 'authd.sock')).toHaveLength(1);
  });
});

describe('closing', () => {
  it('survives that the socket, or its directory, is gone', async () => {
    const one = await start();
    await rm(one.socketPath);
    await one.server.close();
    const directory = join(await temporaryDirectory(), 'run');
    const other = await start({ socketPath: join(directory, 'authd.sock') });
    await rename(directory, `${directory}-moved`);
    await other.server.close();
  });
});

async function refusal(socketPath: string): Promise<AuthdError> {
  const failure = await start({ socketPath }).then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(AuthdError);
  const error = failure as AuthdError;
  expect(['bad_socket', 'already_running'] satisfies ErrorCode[]).toContain(error.code);
  expect(error.message).toMatch(/^[^A-Z].*[^.]$/);
  return error;
}

function closing(directory: string): string {
  const quoted = `'${directory.split("'").join("'\\''")}'`;
  return `close it with \`chmod 700 ${quoted}\`, or ${ANOTHER_DIRECTORY}`;
}

async function modeOf(path: string): Promise<number> {
  return (await lstat(path)).mode & 0o777;
}

/** A process that listens at the path and is killed, so that its socket stays. */
async function listenAndDie(path: string): Promise<ChildProcess> {
  const script = `require('node:net').createServer().listen(process.argv[1], () => console.log('ready'))`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return child;
}

/** A server that says the same to everybody, or hangs up. */
async function listenWith(path: string, answer: string | null): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    if (answer === null) socket.destroy();
    else socket.end(answer);
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

interface Contender {
  readonly child: ChildProcess;
  /** The next line that it prints. */
  readonly outcome: () => Promise<string>;
}

async function spawnContender(socketPath: string): Promise<Contender> {
  const script = new URL('contender.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', script, socketPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const outcome = async (): Promise<string> =>
    String(((await once(child.stdout, 'data')) as [Buffer])[0]).trim();
  expect(await outcome()).toBe('ready');
  return { child, outcome };
}
