import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TokenLocks } from '../../src/auth-file/token-locks.js';
import { systemFileSystem } from '../../src/os/file-system.js';
import { scratchDir } from '../support/scratch-dir.js';

const TOKEN = '0123456789ab';
const ANOTHER = 'ba9876543210';

describe('the lock of a refresh token', () => {
  it('is had by one of those that share a state directory, and each token has its own', async () => {
    const directory = join(await scratchDir(), 'state');
    const [one, other] = [
      new TokenLocks(systemFileSystem, directory),
      new TokenLocks(systemFileSystem, directory),
    ];
    const lock = await one.take(TOKEN);
    expect(lock).not.toBeNull();
    expect(await other.take(TOKEN)).toBeNull();
    const another = await other.take(ANOTHER);
    expect(another).not.toBeNull();
    await lock?.release();
    const again = await other.take(TOKEN);
    expect(again).not.toBeNull();
    await again?.release();
    await another?.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('is let go of also where its file cannot be removed', async () => {
    const directory = await scratchDir();
    const unlink = (): Promise<void> => Promise.reject(new Error('EROFS: planted'));
    const lock = await new TokenLocks({ ...systemFileSystem, unlink }, directory).take(TOKEN);
    await expect(lock?.release()).rejects.toThrow('EROFS');
    const next = await new TokenLocks(systemFileSystem, directory).take(TOKEN);
    expect(next).not.toBeNull();
    await next?.release();
  });

  it('leaves nothing of a daemon that was killed, and what is at work alone', async () => {
    const directory = await scratchDir();
    const locks = new TokenLocks(systemFileSystem, directory);
    await writeFile(join(directory, `${TOKEN}.sending`), '');
    const lock = await locks.take(ANOTHER);
    await locks.sweep();
    expect(await readdir(directory)).toEqual([`${ANOTHER}.sending`]);
    await lock?.release();
    await new TokenLocks(systemFileSystem, join(directory, 'not-there')).sweep();
    expect(await readdir(directory)).toEqual([]);
  });
});
