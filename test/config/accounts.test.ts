import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSettings, type Settings } from '../../src/config/settings.js';
import { AuthdError } from '../../src/errors.js';
import { scratchDir } from '../support/scratch-dir.js';

const ENV = { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/7' };

async function settingsOf(toml: string, env: Record<string, string> = {}, flags = {}): Promise<Settings> {
  const config = join(await scratchDir(), 'config.toml');
  await writeFile(config, toml);
  return readSettings({ config, ...flags }, { ...ENV, ...env });
}

async function refusalOf(toml: string, env: Record<string, string> = {}, flags = {}): Promise<AuthdError> {
  const error: unknown = await settingsOf(toml, env, flags).catch((reason: unknown) => reason);
  if (!(error instanceof AuthdError)) throw new Error(`taken: ${toml}`, { cause: error });
  expect(error.code).toBe('bad_configuration');
  expect(error.hint).toBeDefined();
  return error;
}

function table(name: string, more = `codex_home = "/homes/${name}"\n`): string {
  return `[[account]]\nname = "${name}"\n${more}`;
}

describe('[[account]]', () => {
  it('has what stands at the top of the file for its defaults, and its own settings before them', async () => {
    const { accounts, rotationGapMs } = await settingsOf(`
      token_endpoint = "https://top.example.com/token"
      client_id = "top"
      lead_min_seconds = 60
      rotation_gap_seconds = 0.5
      ${table('work', 'codex_home = "work"\nclient_id = "own"\nlead_min_seconds = 30\n')}
      ${table('play', 'codex_home = "/play"\ntoken_endpoint = "https://own.example.com/token"\nbody_format = "form"\n')}
    `);
    expect(rotationGapMs).toBe(500);
    expect(accounts).toMatchObject([
      {
        name: 'work',
        codexHome: expect.stringMatching(/^\/.+\/work$/),
        tokenEndpoint: 'https://top.example.com/token',
        clientId: 'own',
        bodyFormat: 'json',
        policy: { leadMinMs: 30_000 },
      },
      {
        name: 'play',
        codexHome: '/play',
        tokenEndpoint: 'https://own.example.com/token',
        clientId: 'top',
        bodyFormat: 'form',
        policy: { leadMinMs: 60_000 },
      },
    ]);
  });

  it('keeps `default` as it would be alone, and lets flags and environment speak of that one only', async () => {
    const both = `codex_home = "/top"\nclient_id = "top"\n${table('default', '')}${table('work')}`;
    const homes = async (env = {}, flags = {}): Promise<string[]> =>
      (await settingsOf(both, env, flags)).accounts.map(({ codexHome }) => codexHome);
    expect(await homes()).toEqual(['/top', '/homes/work']);
    expect(await homes({ CODEX_HOME: '/env' })).toEqual(['/env', '/homes/work']);
    expect(await homes({ CODEX_HOME: '/env' }, { codexHome: '/flag' })).toEqual(['/flag', '/homes/work']);
    const env = {
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'https://env.example.com/token',
      CODEX_APP_SERVER_LOGIN_CLIENT_ID: 'env',
    };
    expect((await settingsOf(both, env)).accounts).toMatchObject([
      { tokenEndpoint: 'https://env.example.com/token', clientId: 'env' },
      { tokenEndpoint: 'https://auth.openai.com/oauth/token', clientId: 'top' },
    ]);
    expect((await settingsOf(table('default', ''))).accounts[0]?.codexHome).toBe('/home/ada/.codex');
  });

  it('may be none at all, which is one account `default`', async () => {
    expect((await settingsOf('account = []')).accounts.map(({ name }) => name)).toEqual(['default']);
  });

  it('takes CODEX_HOME for nothing where there is no `default`: it is in every shell of whoever has several homes', async () => {
    const { accounts } = await settingsOf(table('work'), { CODEX_HOME: '/homes/play' });
    expect(accounts.map(({ codexHome }) => codexHome)).toEqual(['/homes/work']);
  });

  it.each([
    ['--codex-home', '', {}, { codexHome: '/flag' }],
    ['codex_home', 'codex_home = "/top"\n', {}, {}],
    [
      'CODEX_REFRESH_TOKEN_URL_OVERRIDE',
      '',
      { CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'https://a.example.com' },
      {},
    ],
    ['CODEX_APP_SERVER_LOGIN_CLIENT_ID', '', { CODEX_APP_SERVER_LOGIN_CLIENT_ID: 'client' }, {}],
  ])('refuses %s where there is no `default` that it could mean', async (name, top, env, flags) => {
    const error = await refusalOf(`${top}${table('work')}`, env, flags);
    expect(error.message).toContain(name);
    expect(error.message).toContain('`default`');
  });

  it.each(['a', '0', 'work', 'a.b_c-d', 'x'.repeat(32)])(
    'takes a name that a file may have: %s',
    async (name) => {
      expect((await settingsOf(table(name, 'codex_home = "/a"\n'))).accounts[0]?.name).toBe(name);
    },
  );

  it.each(['Work', '.hidden', '-flag', '..', 'a/b', 'a b', 'ä', 'x'.repeat(33)])(
    'refuses one that it may not have, or not everywhere: %s',
    async (name) => {
      const error = await refusalOf(table(name, 'codex_home = "/a"\n'));
      expect(error.message).toContain('is no name for an account');
    },
  );

  it.each([
    ['a name twice', `${table('work')}${table('work', 'codex_home = "/b"\n')}`, 'two accounts named `work`'],
    ['no name', '[[account]]\ncodex_home = "/a"\n', '`name` is missing in [[account]] number 1'],
    ['an empty name', table(''), '`name` in [[account]] number 1 is empty'],
    ['no home', `${table('default', '')}${table('work', '')}`, 'the account `work` has no `codex_home`'],
    [
      'a setting of the daemon',
      table('work', 'codex_home = "/a"\nsocket = "/s"\n'),
      'no setting `socket` in [[',
    ],
    ['a wrong value', `${table('a')}${table('b', 'scope = 7\n')}`, '`scope` in [[account]] number 2 is 7'],
    ['single brackets', '[account]\nname = "work"\n', '`account` is a table'],
    [
      'an endpoint in the clear',
      table('a', 'codex_home = "/a"\ntoken_endpoint = "http://x.example.com"\n'),
      'not an https',
    ],
  ])('refuses %s', async (_what, toml, message) => {
    expect((await refusalOf(toml)).message).toContain(message);
  });

  it('says of single brackets, and of a setting that there is not, what to write', async () => {
    expect((await refusalOf('[account]\nname = "work"\n')).hint).toContain('[[account]]');
    const { hint } = await refusalOf(table('work', 'sockets = 1\n'));
    expect(hint).toContain('codex_home, token_endpoint');
    expect(hint).not.toContain('log_level');
  });
});

describe('two accounts with the same auth.json', () => {
  it('are refused, however the way there is written', async () => {
    const directory = await scratchDir();
    const [real, link, other] = ['real', 'link', 'other'].map((name) => join(directory, name));
    if (real === undefined || link === undefined || other === undefined) throw new Error('there are three');
    await mkdir(real);
    await mkdir(other);
    await symlink(real, link);
    const pair = (first: string, second: string): string =>
      table('a', `codex_home = "${first}"\n`) + table('b', `codex_home = "${second}"\n`);
    const message = 'the accounts `a` and `b` have the same auth.json';
    expect((await refusalOf(pair(real, `${real}/../real/`))).message).toBe(message);
    expect((await refusalOf(pair(real, link))).message).toBe(message);
    expect((await refusalOf(pair(join(real, 'later'), join(link, 'later')))).message).toBe(message);
    expect((await settingsOf(pair(real, other))).accounts).toHaveLength(2);
    await writeFile(join(real, 'auth.json'), '{}');
    await symlink(join(real, 'auth.json'), join(other, 'auth.json'));
    expect((await refusalOf(pair(real, other))).message).toBe(message);
  });

  it('are named with the variable that may be to blame', async () => {
    const toml = table('default', '') + table('work');
    expect((await refusalOf(toml, { CODEX_HOME: '/homes/work' })).hint).toContain('$CODEX_HOME');
  });
});
