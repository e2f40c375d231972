import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publish, unpublish } from '../../src/index.js';
import { readStatus } from '../../src/client/status.js';
import { runCli } from '../cli/run-cli.js';
import { DaemonProcess } from '../support/daemon-process.js';
import {
  apiKeyFile,
  chatgptFile,
  deleteAuthFile,
  makeLoginTokens,
  writeAuthFile,
} from '../support/login-file.js';
import {
  publishedFingerprint,
  readPublished,
  refreshTokensIn,
  strangers,
} from '../support/published-home.js';
import { setUp, failureOf, publication, nextPublished, gone } from './publishing.js';

describe('a published directory', () => {
  it('has the login as Codex reads it, with no refresh token, in a file and a directory for nobody else', async () => {
    const { directory, socket, tokens } = await setUp();
    const said = await publish({ directory, socket });
    const document = await readPublished(directory);
    expect(document).toEqual({
      auth_mode: 'chatgptAuthTokens',
      OPENAI_API_KEY: null,
      tokens: { ...tokens, refresh_token: '' },
      last_refresh: document.last_refresh,
    });
    expect(Date.parse(document.last_refresh)).toBeGreaterThan(0);
    expect(await readFile(join(directory, 'auth.json'), 'utf8')).toBe(JSON.stringify(document, null, 2));
    expect(said.fingerprint).toBe(await publishedFingerprint(directory));
    expect(said).toMatchObject({ directory, auth_file: join(directory, 'auth.json'), generation: 1 });
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await strangers(directory)).toEqual([]);
  });

  it('has the new token after each rotation, and after a login that Codex made', async () => {
    const stage = await setUp();
    const { directory, socket, endpoint, authFile, daemon } = stage;
    let { fingerprint } = await publish({ directory, socket });
    for (const generation of [2, 3, 4]) {
      const { json } = await daemon().ask('/v1/refresh', 'POST');
      expect(await nextPublished(directory, fingerprint)).toBe(json['fingerprint']);
      expect(json['generation']).toBe(generation);
      fingerprint = String(json['fingerprint']);
    }
    const elsewhere = endpoint.login();
    await writeAuthFile(authFile, chatgptFile(elsewhere));
    await nextPublished(directory, fingerprint);
    expect((await readPublished(directory)).tokens).toEqual({ ...elsewhere, refresh_token: '' });
  });

  it('follows a login to another account', async () => {
    const stage = await setUp();
    const { directory, socket, endpoint, authFile } = stage;
    const { fingerprint } = await publish({ directory, socket });
    await writeAuthFile(authFile, chatgptFile(endpoint.login({ accountId: 'acct-other' })));
    const other = await nextPublished(directory, fingerprint);
    expect((await readPublished(directory)).tokens.account_id).toBe('acct-other');
    await stage.restart();
    await stage.daemon().ask('/v1/refresh', 'POST');
    await nextPublished(directory, other);
  });

  it('has no file any more after a logout, and one again after the next login', async () => {
    const stage = await setUp();
    const { directory, socket, endpoint, authFile } = stage;
    await publish({ directory, socket });
    await deleteAuthFile(authFile);
    await gone(directory);
    expect(await publication(stage, 'withdrawn')).toMatchObject({ fingerprint: null, generation: null });
    await writeAuthFile(authFile, chatgptFile(endpoint.login()));
    expect(await nextPublished(directory, null)).not.toBe(null);
  });

  it('keeps a valid token when somebody must log in again, and loses it when that expires', async () => {
    const stage = await setUp();
    const { directory, socket, endpoint, authFile, daemon } = stage;
    endpoint.lifetimeSeconds = 6;
    const tokens = endpoint.login();
    endpoint.endLogin(tokens.refresh_token, 'expired');
    await writeAuthFile(authFile, chatgptFile(tokens));
    await daemon().listen().untilState('login_required');
    await publish({ directory, socket });
    expect((await readPublished(directory)).tokens.access_token).toBe(tokens.access_token);
    await publication(stage, 'withdrawn');
    expect(endpoint.verifyAccessToken(tokens.access_token, Date.now())).toBe(false);
    expect(await publishedFingerprint(directory)).toBe(null);
    expect(endpoint.sentTwice()).toEqual([]);
  });

  it('is remembered by the next daemon, whatever ended the one before, and what happened meanwhile is made up for', async () => {
    const stage = await setUp();
    const { directory, socket, authFile, endpoint } = stage;
    const { fingerprint } = await publish({ directory, socket });
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await stage.daemon().stop(signal);
      await writeAuthFile(authFile, chatgptFile(endpoint.login()));
      await stage.restart();
      expect(await nextPublished(directory, fingerprint)).not.toBe(null);
      expect(await publication(stage, 'published')).toMatchObject({ directory, source: 'request' });
    }
    await stage.daemon().stop();
    await deleteAuthFile(authFile);
    await stage.restart();
    await publication(stage, 'withdrawn');
    expect(await publishedFingerprint(directory)).toBe(null);
  });

  it('is in place again when its file was deleted, and stays deleted when it itself was', async () => {
    const stage = await setUp();
    const { directory, socket } = stage;
    await publish({ directory, socket });
    await rm(join(directory, 'auth.json'));
    const { json } = await stage.daemon().ask('/v1/refresh', 'POST');
    // The token of before may be put there first: only the new one is the end of it.
    while ((await publishedFingerprint(directory)) !== json['fingerprint']);
    // In one step: the daemon may still be busy in there.
    await rename(directory, `${directory}.gone`);
    await stage.daemon().ask('/v1/refresh', 'POST');
    expect((await publication(stage, 'failing')).hint).toContain('--stop');
    await expect(access(directory, constants.F_OK)).rejects.toThrow();
    await publish({ directory, socket });
    expect(await publishedFingerprint(directory)).not.toBe(null);
  });

  it('is empty when it is not published any more, and is not taken up again', async () => {
    const stage = await setUp();
    const { directory, socket } = stage;
    await publish({ directory, socket });
    await unpublish({ directory: `${directory}/`, socket });
    expect(await publishedFingerprint(directory)).toBe(null);
    expect(await failureOf(unpublish({ directory, socket }))).toMatchObject({ code: 'not_found' });
    await stage.restart();
    expect((await stage.daemon().account()).published).toEqual([]);
    expect(await publishedFingerprint(directory)).toBe(null);
  });
});

it('two daemons of one account leave publishing to the one that keeps it, and the other takes it over', async () => {
  const stage = await setUp();
  const { directory, socket, daemon } = stage;
  const { sandbox } = daemon();
  const spare = join(sandbox.directory, 'spare');
  await mkdir(spare);
  const table = (name: string, home: string): string =>
    `[[account]]\nname = "${name}"\ncodex_home = "${home}"\n`;
  await stage.configure(table('default', sandbox.codexHome) + table('spare', spare));
  const other = join(sandbox.directory, 'other', 's');
  const args = ['--socket', other];
  const standingBy = await DaemonProcess.start({ sandbox, tokenEndpoint: stage.endpoint.url, args });
  await publish({ directory, socket });
  expect(await failureOf(publish({ directory: `${directory}-2`, socket: other }))).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('another daemon'),
  });
  expect(await publishedFingerprint(`${directory}-2`)).toBe(null);
  await daemon().stop();
  for (;;) {
    const [account] = (await readStatus(other)).accounts;
    if (account?.published[0]?.state === 'published') break;
  }
  await publish({ directory: `${directory}-2`, socket: other });
  await standingBy.stop();
  await stage.restart();
  const { published } = await stage.daemon().account();
  expect(published.map((each) => each.directory)).toEqual([directory, `${directory}-2`]);
});

describe('what is not ours', () => {
  it.each([
    ['a login', (): string => chatgptFile(makeLoginTokens())],
    ['an API key', (): string => apiKeyFile('sk-somebody')],
    [
      'a file that another account published',
      (): string =>
        chatgptFile(
          { ...makeLoginTokens({ claims: { accountId: 'acct-else' } }), refresh_token: '' },
          { more: { auth_mode: 'chatgptAuthTokens' } },
        ),
    ],
    ['half a file', (): string => '{"auth_mode":'],
  ])('is left alone: %s', async (_what, text) => {
    const { directory, socket, daemon } = await setUp();
    await mkdir(directory);
    const path = join(directory, 'auth.json');
    const before = text();
    await writeFile(path, before, { mode: 0o600 });
    const failure = await failureOf(publish({ directory, socket }));
    expect(failure).toMatchObject({ code: 'bad_request' });
    expect(failure.hint).toContain('remove it');
    expect(await readFile(path, 'utf8')).toBe(before);
    expect((await daemon().account()).published).toEqual([]);
    expect(await strangers(directory)).toEqual([]);
  });

  it('stays when somebody logs in where the daemon publishes, through rotations, a restart and the end of it', async () => {
    const stage = await setUp();
    const { directory, socket } = stage;
    await publish({ directory, socket });
    const theirs = chatgptFile(makeLoginTokens());
    await writeAuthFile(join(directory, 'auth.json'), theirs);
    await stage.daemon().ask('/v1/refresh', 'POST');
    expect(await publication(stage, 'failing')).toMatchObject({
      detail: expect.stringContaining('not published'),
    });
    await stage.restart();
    await publication(stage, 'failing');
    await unpublish({ directory, socket });
    expect(await readFile(join(directory, 'auth.json'), 'utf8')).toBe(theirs);
  });

  it("is the account's own home, by whatever name", async () => {
    const { directory, socket, authFile, daemon } = await setUp();
    const before = await readFile(authFile, 'utf8');
    const { codexHome } = daemon().sandbox;
    await symlink(codexHome, directory);
    for (const home of [codexHome, directory, `${directory}/../published`]) {
      expect(await failureOf(publish({ directory: home, socket }))).toMatchObject({
        code: 'bad_request',
        message: expect.stringContaining('is the home of'),
      });
    }
    expect(await readFile(authFile, 'utf8')).toBe(before);
  });

  it('is a file to which a link leads', async () => {
    const { directory, socket, authFile } = await setUp();
    await mkdir(directory);
    await symlink(authFile, join(directory, 'auth.json'));
    const before = await readFile(authFile, 'utf8');
    expect((await failureOf(publish({ directory, socket }))).message).toContain('is a link');
    expect(await readFile(authFile, 'utf8')).toBe(before);
  });

  it.each(['auth.lock', 'auth.json.lock'])('is a file to which a link in place of %s leads', async (lock) => {
    const { directory, socket } = await setUp();
    await mkdir(directory);
    const elsewhere = join(directory, '..', 'elsewhere');
    await symlink(elsewhere, join(directory, lock));
    expect(await failureOf(publish({ directory, socket }))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('is a link'),
    });
    await expect(access(elsewhere)).rejects.toThrow();
    expect(await strangers(directory)).toEqual([]);
  });

  it('is a directory whose parent is missing, one that is a file, and one that is published by another name', async () => {
    const { directory, socket } = await setUp();
    expect((await failureOf(publish({ directory: join(directory, 'a', 'b'), socket }))).message).toContain(
      'there is no directory',
    );
    await publish({ directory, socket });
    const file = join(directory, 'auth.json');
    expect((await failureOf(publish({ directory: file, socket }))).message).toContain('is no directory');
    await symlink(directory, `${directory}-too`);
    expect((await failureOf(publish({ directory: `${directory}-too`, socket }))).message).toContain(
      'published there already',
    );
    expect(await publishedFingerprint(directory)).not.toBe(null);
  });
});

it('a key that does not expire is not published, and says why', async () => {
  const { directory, socket, authFile, daemon } = await setUp();
  await writeAuthFile(authFile, apiKeyFile('sk-somebody'));
  await daemon()
    .listen()
    .until(({ event, data }) => event === 'state' && data.reason === 'does_not_expire');
  const failure = await failureOf(publish({ directory, socket }));
  expect(failure).toMatchObject({ code: 'unsupported', message: expect.stringContaining('API key') });
  expect(await publishedFingerprint(directory)).toBe(null);
});

describe('a directory that cannot be written', () => {
  it('costs nobody else anything: it says why, and has the current token as soon as it can', async () => {
    const stage = await setUp();
    const { directory, socket, daemon } = stage;
    const { fingerprint } = await publish({ directory, socket });
    // Root may write wherever it likes, but not make a file where a directory of that name is in the way.
    await rm(join(directory, 'auth.lock'));
    await mkdir(join(directory, 'auth.lock'));
    const { status, json } = await daemon().ask('/v1/refresh', 'POST');
    expect(status).toBe(200);
    const failing = await publication(stage, 'failing');
    expect(failing.detail).toContain('auth.lock');
    expect(failing.hint).not.toBe(null);
    expect(await publishedFingerprint(directory)).toBe(fingerprint);
    expect((await daemon().account()).state).toBe('fresh');
    expect(await failureOf(publish({ directory, socket }))).toMatchObject({ code: 'unavailable' });
    const { stdout, stderr } = await runCli(daemon().sandbox, ['status']);
    expect(stdout).toContain(`${directory} (failing: `);
    expect(stderr).toContain(`hint: ${directory}: `);
    await rm(join(directory, 'auth.lock'), { recursive: true });
    // Nothing tells of that: the tick finds it.
    await publication(stage, 'published');
    expect(await publishedFingerprint(directory)).toBe(json['fingerprint']);
  });

  it('is refused when it is asked for, and nothing of it is remembered', async () => {
    const { directory, socket, daemon } = await setUp();
    await mkdir(join(directory, 'auth.json.lock'), { recursive: true });
    expect(await failureOf(publish({ directory, socket }))).toMatchObject({ code: 'unavailable' });
    expect((await daemon().account()).published).toEqual([]);
    expect(await refreshTokensIn(directory)).toEqual([]);
  });
});

describe('[[publish]] in the configuration', () => {
  it('is there from the start, and follows the configuration', async () => {
    const stage = await setUp({ config: '[[publish]]\ndirectory = "$DIR/published"\n' });
    const { directory, socket, daemon } = stage;
    expect(await publication(stage, 'published')).toMatchObject({ directory, source: 'config' });
    expect(await failureOf(unpublish({ directory, socket }))).toMatchObject({ code: 'bad_request' });

    const other = `${directory}-2`;
    await stage.configure(`[[publish]]\ndirectory = "${other}"\naccount = "default"\n`);
    process.kill(daemon().pid, 'SIGHUP');
    expect(await nextPublished(other, null)).not.toBe(null);
    await gone(directory);
  });

  it('is taken back also when the line went while no daemon was there', async () => {
    const stage = await setUp({ config: '[[publish]]\ndirectory = "$DIR/published"\n' });
    await publication(stage, 'published');
    await stage.daemon().stop();
    await stage.configure('');
    await stage.restart();
    await gone(stage.directory);
  });

  it('that cannot be is no reason not to start', async () => {
    const stage = await setUp({ config: '[[publish]]\ndirectory = "$DIR/no/such"\n' });
    expect((await publication(stage, 'failing')).detail).toContain('there is no directory');
    expect((await stage.daemon().ask('/v1/token')).status).toBe(200);
  });
});
