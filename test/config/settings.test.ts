import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { stdSerializers } from 'pino';
import { describe, expect, it } from 'vitest';
import type { AccountConfig } from '../../src/config/accounts.js';
import { readSettings, type Settings } from '../../src/config/settings.js';
import { DEFAULT_POLICY } from '../../src/core/plan.js';
import { AuthdError } from '../../src/errors.js';
import { scratchDir } from '../support/scratch-dir.js';

const ENV = { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/7' };

async function settingsOf(toml: string, env: Record<string, string> = {}, flags = {}): Promise<Settings> {
  const config = join(await scratchDir(), 'config.toml');
  await writeFile(config, toml);
  return readSettings({ config, ...flags }, { ...ENV, ...env });
}

async function accountOf(toml: string, env: Record<string, string> = {}, flags = {}): Promise<AccountConfig> {
  const [account] = (await settingsOf(toml, env, flags)).accounts;
  if (account === undefined) throw new Error('no account');
  return account;
}

async function refusalOf(toml: string, env: Record<string, string> = {}): Promise<AuthdError> {
  const error: unknown = await settingsOf(toml, env).catch((reason: unknown) => reason);
  if (!(error instanceof AuthdError)) throw new Error(`taken: ${toml}`, { cause: error });
  expect(error.code).toBe('bad_configuration');
  return error;
}

/** All that a log, or whoever inspects an error, shows of it. */
function shown(error: AuthdError): string {
  const logged = JSON.stringify(stdSerializers.err(error));
  return `${logged}\n${inspect(error, { showHidden: true, depth: Infinity })}`;
}

const SECRET_URLS = [
  'https://ada:hunter2@example.com/v1',
  'https://:hunter2@example.com/v1',
  'https://hunter2@example.com/v1',
  'http://ada:hunter2@localhost/v1',
  'http://ada:hunter2@example.com/v1',
  'ada:hunter2@example.com/v1',
  'https//ada:hunter2@example.com',
] as const;

describe('the settings', () => {
  it('are Codex’s where nothing is said', async () => {
    const settings = await readSettings({}, ENV);
    expect(settings).toMatchObject({
      socketPath: '/run/user/7/codex-authd/authd.sock',
      stateDirectory: '/home/ada/.local/state/codex-authd',
      logLevel: 'info',
    });
    expect(settings.accounts).toEqual([
      {
        name: 'default',
        codexHome: '/home/ada/.codex',
        tokenEndpoint: 'https://auth.openai.com/oauth/token',
        clientId: 'app_EMoamEEZ73f0CkXaXp7hrann',
        bodyFormat: 'json',
        scope: null,
        baseUrls: { chatgpt: 'https://chatgpt.com/backend-api/codex', platform: 'https://api.openai.com/v1' },
        policy: DEFAULT_POLICY,
        publishIn: [],
      },
    ]);
  });

  it('take a flag before the environment, and that before the file', async () => {
    const toml = 'socket = "/file.sock"\ncodex_home = "/file"\nlog_level = "warn"\n';
    const env = { CODEX_AUTHD_SOCKET: '/env.sock', CODEX_HOME: '/env' };
    const flags = { socket: '/flag.sock', codexHome: '/flag', logLevel: 'debug' };
    expect(await settingsOf(toml)).toMatchObject({ socketPath: '/file.sock', logLevel: 'warn' });
    expect(await settingsOf(toml, env)).toMatchObject({ socketPath: '/env.sock' });
    expect(await settingsOf(toml, env, flags)).toMatchObject({ socketPath: '/flag.sock', logLevel: 'debug' });
    expect((await accountOf(toml)).codexHome).toBe('/file');
    expect((await accountOf(toml, env)).codexHome).toBe('/env');
    expect((await accountOf(toml, env, flags)).codexHome).toBe('/flag');
  });

  it('give Codex’s own variables the meaning that they have for Codex', async () => {
    const toml = 'token_endpoint = "https://file.example.com/token"\nclient_id = "file"\n';
    const env = {
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'https://env.example.com/whole/url',
      CODEX_APP_SERVER_LOGIN_CLIENT_ID: 'env',
    };
    expect(await accountOf(toml)).toMatchObject({
      tokenEndpoint: 'https://file.example.com/token',
      clientId: 'file',
    });
    expect(await accountOf(toml, env)).toMatchObject({
      tokenEndpoint: 'https://env.example.com/whole/url',
      clientId: 'env',
    });
  });

  it('take an empty variable for none', async () => {
    const toml = 'socket = "/file.sock"\n';
    expect(await settingsOf(toml, { CODEX_AUTHD_SOCKET: '' })).toMatchObject({ socketPath: '/file.sock' });
    expect((await accountOf('', { CODEX_HOME: '' })).codexHome).toBe('/home/ada/.codex');
  });

  it('count a relative path in the file from the file’s directory', async () => {
    const directory = await scratchDir();
    const config = join(directory, 'config.toml');
    await writeFile(config, 'socket = "run/authd.sock"\ncodex_home = "../codex"\n');
    const settings = await readSettings({ config }, ENV);
    expect(settings.socketPath).toBe(join(directory, 'run', 'authd.sock'));
    expect(settings.accounts[0]?.codexHome).toBe(join(directory, '..', 'codex'));
  });

  it('let everything of the refresh policy be set, in seconds and fractions', async () => {
    const { policy } = await accountOf(`
      lead_fraction = 0.5
      lead_min_seconds = 1
      lead_max_seconds = 2
      jitter_fraction = 0
      min_age_seconds = 3
      unreadable_expiry_after_seconds = 4
      last_safe_moment_seconds = 5
      backoff_min_seconds = 6
      backoff_max_seconds = 7
      offline_retry_seconds = 8
      demand_interval_seconds = 9.5
      rejection_interval_seconds = 9.6
    `);
    expect(policy).toEqual({
      leadFraction: 0.5,
      leadMinMs: 1000,
      leadMaxMs: 2000,
      jitterFraction: 0,
      minAgeMs: 3000,
      unreadableExpiryAfterMs: 4000,
      lastSafeMomentMs: 5000,
      backoffMinMs: 6000,
      backoffMaxMs: 7000,
      offlineRetryMs: 8000,
      demandIntervalMs: 9500,
      rejectionIntervalMs: 9600,
    });
  });

  it.each([
    'http://127.0.0.1:9/token',
    'http://localhost/token',
    'http://[::1]/token',
    'https://example.com/t',
  ])('take a token endpoint that keeps a secret: %s', async (url) => {
    expect((await accountOf(`token_endpoint = "${url}"`)).tokenEndpoint).toBe(url);
  });

  it.each(['chatgpt_base_url', 'platform_base_url'] as const)('take a %s as it is written', async (name) => {
    const urls = ['https://example.com/v1', 'http://10.0.0.1:8080', 'https://[::1]/a?b=c'];
    for (const url of urls) {
      const { baseUrls } = await accountOf(`${name} = "${url}"`);
      expect(name === 'chatgpt_base_url' ? baseUrls.chatgpt : baseUrls.platform).toBe(url);
    }
  });

  const NO_URLS = [
    'foo',
    'example.com/v1',
    'ftp://example.com',
    'https://',
    'https:example.com',
    'https://a b',
  ];
  it.each(['token_endpoint', 'chatgpt_base_url', 'platform_base_url'])(
    'take nothing for a %s but a URL of the web that holds no secret, and repeat none',
    async (name) => {
      for (const url of [...NO_URLS, 'https://ex\u00e4mple.com']) {
        const error = await refusalOf(`${name} = "${url}"`);
        expect(error.message, url).toMatch(/is not an https URL$|is not an http or https URL$/);
        expect(error.hint).toBeDefined();
      }
      for (const url of SECRET_URLS) {
        const error = await refusalOf(`${name} = "${url}"`);
        expect(shown(error), url).toMatch(/url|endpoint/);
        expect(shown(error)).not.toMatch(/hunter2|ada/);
      }
      expect((await refusalOf(`${name} = "${SECRET_URLS[0]}"`)).message).toContain('a password');
    },
  );

  it('take no secret in the URL of the environment either', async () => {
    for (const url of SECRET_URLS) {
      const error = await refusalOf('', { CODEX_REFRESH_TOKEN_URL_OVERRIDE: url });
      expect(shown(error)).not.toMatch(/hunter2|ada/);
    }
  });

  it.each([
    ['is no TOML', 'client_id = "hunter2"\nscope = = 1\npassword = "hunter2"', /not TOML, line 2: /],
    ['has a text where a number is due', 'lead_max_seconds = "hunter2"', /`lead_max_seconds` is a text$/],
    ['has an empty setting', 'client_id = ""', /`client_id` is empty$/],
  ])('say what is wrong with a file that %s, and repeat nothing of it', async (_what, toml, message) => {
    const error = await refusalOf(toml);
    expect(error.message).toMatch(message);
    expect(error.hint).toBeDefined();
    expect(error.cause).toBeUndefined();
    expect(shown(error)).not.toContain('hunter2');
  });

  it('leave no room for a backoff that would ask in a loop', async () => {
    await expect(settingsOf('backoff_min_seconds = 0')).rejects.toMatchObject({ code: 'bad_configuration' });
  });
});

describe('[[publish]]', () => {
  it('names directories, also from the place of the file, and by default for the default account', async () => {
    const { publishIn } = await accountOf(
      '[[publish]]\ndirectory = "/srv/a"\n[[publish]]\ndirectory = "/srv/b/"\naccount = "default"\n',
    );
    expect(publishIn).toEqual(['/srv/a', '/srv/b']);
    const [relative] = (await accountOf('[[publish]]\ndirectory = "home"\n')).publishIn;
    expect(relative).toMatch(/^\/.+\/home$/);
    expect((await accountOf('')).publishIn).toEqual([]);
  });

  it.each([
    ['directory = "/a"\naccount = "nobody"', '[[publish]] names an account that is not there'],
    ['directory = "/a"\n[[publish]]\ndirectory = "/a/"', 'two [[publish]] name the directory /a'],
    ['account = "default"', '`publish.0.directory` is'],
    ['directory = ""', '`publish.0.directory` is empty'],
    ['directory = "/a"\nmode = 1', '`publish.0.mode`'],
  ])('is refused with a reason: %j', async (toml, message) => {
    expect((await refusalOf(`[[publish]]\n${toml}\n`)).message).toContain(message);
  });
});
