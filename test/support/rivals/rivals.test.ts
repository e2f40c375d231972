import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { chatgptFile, writeAuthFile } from '../login-file.js';
import { scratchDir } from '../scratch-dir.js';
import { StrictTokenEndpoint } from '../strict-token-endpoint.js';
import { editAs, logInAs, rotateAs, tokensIn } from './acts.js';
import { codex0163 } from './codex-0-163.js';
import { codex0166 } from './codex-0-166.js';
import { codex0169 } from './codex-0-169.js';
import { lockFile } from './file-lock.js';

const RIVALS = [codex0163, codex0166, codex0169];

async function setUp(): Promise<{ endpoint: StrictTokenEndpoint; home: string; path: string }> {
  const endpoint = await StrictTokenEndpoint.start();
  onTestFinished(() => endpoint.close());
  const home = await scratchDir();
  const path = join(home, 'auth.json');
  await writeAuthFile(path, chatgptFile(endpoint.login()));
  return { endpoint, home, path };
}

describe.each(RIVALS)('a rival that writes as Codex $version', (rival) => {
  it('rotates through the server and stores what it got, edits, logs in and out', async () => {
    const { endpoint, path } = await setUp();
    expect(await rotateAs(rival, path, endpoint.url)).toMatchObject({ kind: 'stored' });
    const alive = async (): Promise<boolean> =>
      endpoint.isAlive(tokensIn(await readFile(path, 'utf8'))?.refresh_token ?? '');
    expect(await alive()).toBe(true);
    expect(endpoint.requests[0]?.userAgent).toContain(rival.version);
    await editAs(rival, path, 'future', 1);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ future: 1, auth_mode: 'chatgpt' });
    expect(await alive()).toBe(true);
    await rival.remove(path);
    expect(await rotateAs(rival, path, endpoint.url)).toEqual({ kind: 'no_login' });
    await logInAs(rival, path, endpoint.login());
    expect(await alive()).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('stores nothing when the server gives it nothing', async () => {
    const { endpoint, path } = await setUp();
    const text = await readFile(path, 'utf8');
    endpoint.endLogin(tokensIn(text)?.refresh_token ?? '');
    expect(await rotateAs(rival, path, endpoint.url)).toEqual({ kind: 'refused' });
    expect(await readFile(path, 'utf8')).toBe(text);
  });
});

it.each([
  { rival: codex0163, locks: [], replaces: false, mixes: 'stored' },
  { rival: codex0166, locks: ['auth.lock'], replaces: false, mixes: 'dropped' },
  { rival: codex0169, locks: ['auth.json.lock', 'auth.lock'], replaces: true, mixes: 'dropped' },
])('Codex $rival.version locks $locks, and so on', async ({ rival, locks, replaces, mixes }) => {
  const { endpoint, home, path } = await setUp();
  const before = await stat(path);
  await editAs(rival, path, 'future', 1);
  expect((await stat(path)).ino !== before.ino).toBe(replaces);
  expect((await readdir(home)).sort()).toEqual(['auth.json', ...locks].sort());

  const gate = endpoint.holdNext();
  const rotating = rotateAs(rival, path, endpoint.url);
  await gate.arrived;
  await logInAs(rival, path, endpoint.login({ accountId: 'acct-other' }));
  gate.open();
  expect(await rotating).toMatchObject({ kind: mixes });
});

it.each([
  [codex0166, 'auth.lock'],
  [codex0169, 'auth.lock'],
  [codex0169, 'auth.json.lock'],
])('Codex $version waits for %s', async (rival, name) => {
  const { home, path } = await setUp();
  const lock = await lockFile(join(home, name));
  let isSaved = false;
  const saving = editAs(rival, path, 'future', 1).then(() => (isSaved = true));
  await expect(lockFile(join(home, name), 20)).rejects.toThrow('is held');
  expect(isSaved).toBe(false);
  await lock.release();
  await saving;
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ future: 1 });
});
