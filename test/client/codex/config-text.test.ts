import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { withProviderBlocks, withoutProviderBlocks } from '../../../src/client/codex/config-text.js';
import type { CommandProvider } from '../../../src/client/codex/provider.js';

const PROVIDER: CommandProvider = {
  name: 'codex-authd',
  base_url: 'https://chatgpt.com/backend-api/codex',
  wire_api: 'responses',
  supports_websockets: false,
  http_headers: { 'ChatGPT-Account-ID': 'acct-1' },
  auth: {
    command: '/usr/bin/node',
    args: ['/opt/codex-authd.js', 'token', '--codex', '--socket', '/run/authd.sock'],
    timeout_ms: 5000,
    refresh_interval_ms: 300_000,
  },
};

const add = (text: string, provider = PROVIDER): Promise<string> =>
  withProviderBlocks(text, provider, 'config.toml');
const remove = (text: string): string => withoutProviderBlocks(text, 'config.toml');

const BY_HAND = `# mine, and in this order
model = "gpt-5"   # not the newest

[tools]
web_search = true

[model_providers.other]
name = "other"
base_url = "https://example.test"
`;

describe('the blocks in config.toml', () => {
  it('choose the provider and describe it, above and below what is there, of which every byte stays', async () => {
    const text = await add(BY_HAND);
    expect(text.split(BY_HAND)).toHaveLength(2);
    const { tools, model_providers: providers, ...others } = parse(text);
    expect(others).toEqual({ model: 'gpt-5', model_provider: 'codex-authd' });
    expect(tools).toEqual({ web_search: true });
    expect(providers).toEqual({
      other: { name: 'other', base_url: 'https://example.test' },
      'codex-authd': PROVIDER,
    });
  });

  it('are the same when they are written again, and follow a provider that is another now', async () => {
    const text = await add(BY_HAND);
    expect(await add(text)).toBe(text);
    const moved = { ...PROVIDER, base_url: 'https://gateway.test' };
    expect(await add(text, moved)).toBe(
      text.replace('https://chatgpt.com/backend-api/codex', moved.base_url),
    );
  });

  it('leave nothing behind', async () => {
    for (const text of ['', '\n', BY_HAND, BY_HAND.trimEnd(), BY_HAND.replaceAll('\n', '\r\n')]) {
      expect(remove(await add(text))).toBe(text);
    }
    expect(remove(await add('\uFEFFmodel = "gpt-5"'))).toBe('\uFEFFmodel = "gpt-5"');
  });

  it('come and go without a trace in any file', async () => {
    const name = fc
      .stringMatching(/^[a-z]{1,8}$/)
      .filter((key) => !key.startsWith('model') && key !== 'profile');
    const value = fc.oneof(fc.string(), fc.boolean(), fc.array(fc.string(), { maxLength: 3 }));
    const table = fc.dictionary(name, value, { maxKeys: 4 });
    const document = fc.dictionary(name, fc.oneof(value, table), { maxKeys: 6 });
    const end = fc.constantFrom('', '\n', '\n\n', '# the end', '\r\n');
    await fc.assert(
      fc.asyncProperty(document, end, async (content, ending) => {
        const text = stringify(content) + ending;
        const edited = await add(text);
        expect(await add(edited)).toBe(edited);
        expect(remove(edited)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it('go although lines were added around them, and although an editor changed the ends of all lines', async () => {
    const text = await add('a = 1');
    expect(remove(`# first\n${text}[last]\nb = 2\n`)).toBe('# first\na = 1\n[last]\nb = 2\n');
    expect(remove((await add('a = 1\n')).replaceAll('\n', '\r\n'))).toBe('a = 1\r\n');
  });

  it('need no choice where a person has made it', async () => {
    const text = await add('model_provider = "codex-authd"\n');
    expect(text.match(/model_provider = /g)).toHaveLength(1);
    expect(parse(text)['model_provider']).toBe('codex-authd');
  });

  it.each([
    ['another provider', 'model_provider = "other"\n', 'chooses another provider: model_provider = "other"'],
    [
      'a profile with another provider',
      'profile = "work"\n[profiles.work]\nmodel_provider = "other"\n',
      'the profile work in config.toml chooses another provider',
    ],
    [
      'a table of that name',
      '[model_providers.codex-authd]\nname = "mine"\n',
      'config.toml has a table model_providers.codex-authd that a person wrote',
    ],
  ])('are refused by %s, chosen by hand', async (_what, text, message) => {
    await expect(add(text)).rejects.toMatchObject({
      code: 'bad_configuration',
      message: expect.stringContaining(message),
      hint: expect.stringContaining('codex-authd exec -- codex'),
    });
  });

  it.each([
    ['no TOML', 'model = \n'],
    ['providers written in one line, which nothing can be added to', 'model_providers = { other = {} }\n'],
  ])('are refused by %s, with what to do instead', async (_what, text) => {
    await expect(add(text)).rejects.toMatchObject({
      code: 'bad_configuration',
      hint: expect.stringContaining('by hand'),
    });
  });

  it('are not guessed at where a mark is missing', async () => {
    const text = await add(BY_HAND);
    for (const broken of [
      text.replace('# <<< codex-authd\n', ''),
      text.slice(0, text.lastIndexOf('# <<<')),
      text.replace(/# >>> codex-authd.*\n/, ''),
    ]) {
      expect(() => remove(broken)).toThrow('is not whole');
      await expect(add(broken)).rejects.toThrow('is not whole');
    }
  });
});
