import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codexOptions, type CodexOptionsChoice } from '../../../src/index.js';
import { CLI, makeSandbox, type Sandbox } from '../../cli/run-cli.js';
import {
  CREDENTIAL,
  json,
  problem,
  startScriptedDaemon,
  type Script,
  type ScriptedDaemon,
} from '../../cli/scripted-daemon.js';

let sandbox: Sandbox;
let daemon: ScriptedDaemon | undefined;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await daemon?.close();
  daemon = undefined;
  await sandbox.remove();
});

async function listen(script?: Script): Promise<string[]> {
  daemon = await startScriptedDaemon(sandbox.socket, script);
  return daemon.requests;
}

const make = (choice: CodexOptionsChoice = {}) => codexOptions({ socket: sandbox.socket, ...choice });

const PUBLISHED = {
  account: CREDENTIAL.account,
  directory: '/srv/sandbox',
  auth_file: '/srv/sandbox/auth.json',
  generation: CREDENTIAL.generation,
  fingerprint: CREDENTIAL.fingerprint,
  expires_at: CREDENTIAL.expires_at,
};

const PROVIDER = {
  name: 'codex-authd',
  base_url: CREDENTIAL.base_url,
  wire_api: 'responses',
  supports_websockets: false,
  http_headers: { 'ChatGPT-Account-ID': CREDENTIAL.account_id },
};

describe('codexOptions', () => {
  it('makes Codex ask the daemon by a command, and keeps it from its own login', async () => {
    const requests = await listen();
    const { config } = await make();
    expect(config).toEqual({
      cli_auth_credentials_store: 'ephemeral',
      model_provider: 'codex-authd',
      model_providers: {
        'codex-authd': {
          ...PROVIDER,
          auth: {
            command: process.execPath,
            args: [CLI, 'token', '--codex', '--socket', sandbox.socket, '--account', 'default'],
            timeout_ms: 5000,
            refresh_interval_ms: 300_000,
          },
        },
      },
    });
    expect(requests).toEqual(['GET /v1/credential']);
  });

  it('puts the token into the environment on that route, for as long as was asked', async () => {
    const requests = await listen();
    const { config, env } = await make({ route: 'environment', minValid: 600, env: { PATH: '/bin' } });
    expect(env).toEqual({ PATH: '/bin', CODEX_AUTHD_TOKEN: CREDENTIAL.access_token });
    expect(config['model_providers']).toEqual({
      'codex-authd': { ...PROVIDER, env_key: 'CODEX_AUTHD_TOKEN' },
    });
    expect(requests).toEqual(['GET /v1/credential?min_valid=600']);
  });

  it('has the daemon publish in the CODEX_HOME of `env` on that route, and lets Codex read it there', async () => {
    const requests = await listen({
      'GET /v1/credential': json(CREDENTIAL),
      'PUT /v1/published': json(PUBLISHED),
    });
    const choice = { route: 'published', env: { CODEX_HOME: '/srv/sandbox' } } as const;
    expect(await make(choice)).toEqual({
      env: { CODEX_HOME: '/srv/sandbox' },
      config: { cli_auth_credentials_store: 'file' },
    });
    expect(requests).toContain('PUT /v1/published');
    const { http_headers: _none, ...provider } = PROVIDER;
    const base_url = 'https://gateway.test/codex';
    expect((await make({ ...choice, baseUrl: base_url })).config['model_providers']).toEqual({
      'codex-authd': { ...provider, base_url, requires_openai_auth: true },
    });
    await expect(make({ route: 'published', env: {} })).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('names the home by its whole path, since Codex may be started elsewhere', async () => {
    await listen({ 'GET /v1/credential': json(CREDENTIAL), 'PUT /v1/published': json(PUBLISHED) });
    const { env } = await make({ route: 'published', env: { CODEX_HOME: 'sandbox' } });
    expect(env).toEqual({ CODEX_HOME: join(process.cwd(), 'sandbox') });
  });

  it('publishes nothing for options that contradict each other', async () => {
    const requests = await listen({
      'GET /v1/credential': json(CREDENTIAL),
      'PUT /v1/published': json(PUBLISHED),
    });
    const config = { model_provider: 'mine' };
    const env = { CODEX_HOME: '/srv/sandbox' };
    for (const contradiction of [
      { config, baseUrl: 'https://gateway.test/codex' },
      { config },
      { configOverrides: ['model_provider="mine"'] },
    ]) {
      const made = make({ route: 'published', env, ...contradiction });
      await expect(made).rejects.toMatchObject({ code: 'bad_request' });
    }
    expect(requests).not.toContain('PUT /v1/published');
  });

  it('names no account where there is none: an API key goes to the platform', async () => {
    const base_url = 'https://api.openai.com/v1';
    await listen({ 'GET /v1/credential': json({ ...CREDENTIAL, account_id: null, base_url }) });
    const { config } = await make({ route: 'environment' });
    const { http_headers: _none, ...provider } = PROVIDER;
    expect(config['model_providers']).toEqual({
      'codex-authd': { ...provider, base_url, env_key: 'CODEX_AUTHD_TOKEN' },
    });
  });

  it('passes on this environment if none is given, without what would hide the token from Codex', async () => {
    await listen();
    vi.stubEnv('CODEX_API_KEY', 'sk-hides-it');
    vi.stubEnv('CODEX_ACCESS_TOKEN', 'hides-it-too');
    vi.stubEnv('KEPT', 'kept');
    const { env } = await make();
    expect(env).toMatchObject({ PATH: process.env['PATH'], KEPT: 'kept' });
    expect(Object.keys(env)).not.toContain('CODEX_API_KEY');
    expect(Object.keys(env)).not.toContain('CODEX_ACCESS_TOKEN');
    expect((await make({ env: { CODEX_API_KEY: 'sk', A: 'b' } })).env).toEqual({ A: 'b' });
  });

  it("keeps all that is the caller's: other options, settings, providers, and additions to ours", async () => {
    await listen();
    const given: CodexOptionsChoice = {
      codexPathOverride: '/opt/codex',
      configOverrides: ['model="x"'],
      config: {
        model_reasoning_effort: 'high',
        cli_auth_credentials_store: 'file',
        model_providers: {
          other: { name: 'other' },
          'codex-authd': { name: 'mine', request_max_retries: 0, http_headers: { 'X-Team': 'a' } },
        },
      },
      baseUrl: 'https://gateway.test/codex',
    };
    const before = structuredClone(given);
    const { config, env, ...rest } = await make(given);
    expect(given).toEqual(before);
    expect(env).toMatchObject({ PATH: process.env['PATH'] });
    expect(rest).toEqual({ codexPathOverride: '/opt/codex', configOverrides: ['model="x"'] });
    expect(config).toMatchObject({
      model_reasoning_effort: 'high',
      cli_auth_credentials_store: 'file',
      model_provider: 'codex-authd',
      model_providers: {
        other: { name: 'other' },
        'codex-authd': {
          name: 'mine',
          base_url: 'https://gateway.test/codex',
          request_max_retries: 0,
          http_headers: { 'X-Team': 'a', 'ChatGPT-Account-ID': CREDENTIAL.account_id },
        },
      },
    });
  });

  const ours = (table: Record<string, string | boolean | Record<string, string>>): CodexOptionsChoice => ({
    config: { model_providers: { 'codex-authd': table } },
  });
  it.each<[string, CodexOptionsChoice]>([
    ['config.model_provider', { config: { model_provider: 'other' } }],
    ['`model_provider` in configOverrides', { configOverrides: ['model_provider = "other"'] }],
    ['config.model_providers.codex-authd.base_url', ours({ base_url: 'https://other.test' })],
    ['config.model_providers.codex-authd.env_key', ours({ env_key: 'TOKEN' })],
    ['config.model_providers.codex-authd.requires_openai_auth', ours({ requires_openai_auth: true })],
    [
      'config.model_providers.codex-authd.http_headers.chatgpt-account-id',
      ours({ http_headers: { 'chatgpt-account-id': 'other' } }),
    ],
  ])('refuses %s, because it says the contrary', async (what, choice) => {
    await listen();
    await expect(make(choice)).rejects.toMatchObject({
      code: 'bad_request',
      message: `${what} contradicts what codexOptions sets`,
      hint: expect.stringContaining('leave it out'),
    });
  });

  it('refuses what is no address, no route, and a key, before it asks anybody', async () => {
    const requests = await listen();
    await expect(make({ baseUrl: 'chatgpt.com' })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(make(JSON.parse('{"route":"magic"}') as CodexOptionsChoice)).rejects.toMatchObject({
      message: 'there is no route "magic"',
    });
    await expect(make(JSON.parse('{"apiKey":"sk-1"}') as CodexOptionsChoice)).rejects.toMatchObject({
      message: 'apiKey would hide the credential of the daemon from Codex',
    });
    expect(requests).toEqual([]);
  });

  it('tells of a missing daemon and of a missing login at once, not by a 401 later', async () => {
    await expect(make()).rejects.toMatchObject({ code: 'daemon_not_running' });
    await listen({ 'GET /v1/credential': problem(503, 'login_required', 'the login has ended') });
    await expect(make()).rejects.toMatchObject({ code: 'login_required' });
  });
});
