import { mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AccountLock } from '../../src/auth-file/lock.js';
import { systemClock, type Clock } from '../../src/os/clock.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

function lockOf(path: string, socket = '/nowhere.sock', clock: Clock = systemClock): AccountLock {
  const lock = new AccountLock(path, socket, systemFileSystem, clock, () => undefined);
  onTestFinished(() => lock.release());
  return lock;
}

async function listen(path: string): Promise<void> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
}

describe('the lock of an account', () => {
  it('lies beside auth.json, under none of the names that Codex locks, and goes when it is released', async () => {
    const home = await scratchDir();
    const lock = lockOf(join(home, 'auth.json'));
    await lock.ensure();
    expect(lock.held).toBe(true);
    expect((await readdir(home)).sort()).toEqual([
      'auth.json.codex-authd.lock',
      'auth.json.codex-authd.owner',
    ]);
    await lock.release();
    expect(lock.held).toBe(false);
    expect(await readdir(home)).toEqual([]);
  });

  it('is refused to a second daemon at once, which is told who has it', async () => {
    const home = await scratchDir();
    const socket = join(home, 'authd.sock');
    await listen(socket);
    await lockOf(join(home, 'auth.json'), socket).ensure();
    const second = lockOf(join(home, 'auth.json'));
    const failure = await second.ensure().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'already_running' });
    expect(String(failure)).toContain(`pid ${String(process.pid)} on ${hostname()}`);
    expect(failure).toMatchObject({
      hint: `use its socket, or stop it with \`kill ${String(process.pid)}\``,
    });
    expect(second.held).toBe(false);
  });

  it('is one for a file and a symbolic link to it', async () => {
    const [home, other] = [await scratchDir(), await scratchDir()];
    const socket = join(home, 'authd.sock');
    await listen(socket);
    await writeFile(join(home, 'auth.json'), '{}');
    await symlink(join(home, 'auth.json'), join(other, 'auth.json'));
    await lockOf(join(home, 'auth.json'), socket).ensure();
    await expect(lockOf(join(other, 'auth.json')).ensure()).rejects.toMatchObject({
      code: 'already_running',
    });
  });

  it('is taken over from a daemon that was killed, once it is stale', async () => {
    const home = await scratchDir();
    const path = join(home, 'auth.json');
    await mkdir(`${path}.codex-authd.lock`);
    const owner = { pid: process.pid, host: hostname(), socket: join(home, 'gone.sock'), since: 'yesterday' };
    await writeFile(`${path}.codex-authd.owner`, JSON.stringify(owner));
    const makeStale: Clock = {
      ...systemClock,
      after: (_delayMs, wake) => {
        void utimes(`${path}.codex-authd.lock`, 1, 1).then(wake);
        return () => undefined;
      },
    };
    const lock = lockOf(path, join(home, 'authd.sock'), makeStale);
    await lock.ensure();
    expect(lock.held).toBe(true);
  });

  it('is given up after 12 s when somebody goes on renewing it whose socket is silent', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await lockOf(path).ensure();
    let nowMs = 0;
    const impatient: Clock = {
      now: () => nowMs,
      after: (delayMs, wake) => {
        nowMs += delayMs;
        setImmediate(wake);
        return () => undefined;
      },
    };
    await expect(lockOf(path, '/nowhere.sock', impatient).ensure()).rejects.toMatchObject({
      code: 'already_running',
    });
    expect(nowMs).toBe(12_000);
  });

  it('cannot be taken in a directory that is not there, and can once it is', async () => {
    const home = join(await scratchDir(), 'later');
    const lock = lockOf(join(home, 'auth.json'));
    await expect(lock.ensure()).rejects.toMatchObject({ code: 'storage' });
    await mkdir(home);
    await lock.ensure();
    expect(lock.held).toBe(true);
  });

  it('says that it was lost when somebody takes it away', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const lost = await new Promise<Error>((resolve) => {
      const lock = new AccountLock(path, '/nowhere.sock', systemFileSystem, systemClock, (error) => {
        expect(lock.held).toBe(false);
        resolve(error);
      });
      void lock.ensure().then(() => rm(`${path}.codex-authd.lock`, { recursive: true }));
    });
    expect(lost).toMatchObject({ code: 'ECOMPROMISED' });
  });
});
