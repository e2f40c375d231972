import { describe, expect, it } from 'vitest';
import { AuthdError, authorizedFetch } from '../../src/index.js';
import { CREDENTIAL } from '../cli/scripted-daemon.js';
import { ScriptedSource, startBackend, type Backend } from './requests.js';

async function setUp(...good: string[]): Promise<{ api: Backend; source: ScriptedSource; base: string }> {
  const api = await startBackend(...good);
  const base = `${api.origin}/backend-api/codex`;
  return { api, source: new ScriptedSource(base), base };
}

function streamOf(body: string): RequestInit {
  return { method: 'POST', body: new Blob([body]).stream(), duplex: 'half' };
}

describe('a request under the base URL', () => {
  it('carries the token and the account, in place of the caller’s own', async () => {
    const { api, source, base } = await setUp('old');
    const headers = { Authorization: 'Bearer placeholder', 'X-Own': 'kept' };
    const response = await authorizedFetch(source)(`${base}/responses?a=1`, {
      method: 'POST',
      headers,
      body: 'x',
    });
    expect(await response.text()).toBe('hello x');
    expect(api.seen).toMatchObject([
      {
        authorization: 'Bearer old',
        accountId: CREDENTIAL.account_id,
        path: '/backend-api/codex/responses?a=1',
      },
    ]);
    expect(api.seen[0]?.headers['x-own']).toBe('kept');
  });

  it('may be given as a URL or a Request', async () => {
    const { api, source, base } = await setUp('old');
    const send = authorizedFetch(source);
    await send(new URL(`${base}/a`));
    await send(new Request(`${base}/b`, { method: 'POST', body: 'y', headers: { 'X-Own': 'kept' } }));
    expect(api.seen).toMatchObject([
      { method: 'GET', authorization: 'Bearer old' },
      { method: 'POST', authorization: 'Bearer old', body: 'y', headers: { 'x-own': 'kept' } },
    ]);
  });

  it('names no account where there is none', async () => {
    const { api, source, base } = await setUp('old');
    source.current = { ...CREDENTIAL, access_token: 'old', base_url: base, account_id: null };
    await authorizedFetch(source)(`${base}/a`);
    expect(api.seen[0]?.accountId).toBeUndefined();
  });

  it('fails with the source’s error where there is no credential', async () => {
    const { api, source, base } = await setUp('old');
    source.current = null;
    await expect(authorizedFetch(source)(`${base}/a`)).rejects.toMatchObject({
      code: 'logged_out',
      hint: 'run `codex login`',
    });
    expect(api.seen).toEqual([]);
  });
});

describe('a 401', () => {
  it('is reported, and the request made once more with the newer token', async () => {
    const { api, source, base } = await setUp('new');
    const response = await authorizedFetch(source)(`${base}/a`, { method: 'POST', body: 'x' });
    expect(await response.text()).toBe('hello x');
    expect(source.reports).toEqual([CREDENTIAL.fingerprint]);
    expect(api.seen.map(({ authorization, body }) => [authorization, body])).toEqual([
      ['Bearer old', 'x'],
      ['Bearer new', 'x'],
    ]);
  });

  it('is the answer if the newer token is rejected too', async () => {
    const { api, source, base } = await setUp();
    const response = await authorizedFetch(source)(`${base}/a`);
    expect([response.status, await response.text()]).toEqual([401, 'no such token']);
    expect(api.seen).toHaveLength(2);
    expect(source.reports).toHaveLength(1);
  });

  it('is the answer, body and all, if there is no newer token', async () => {
    const { source, base } = await setUp();
    source.failure = new AuthdError('rate_limited', 'too soon');
    const response = await authorizedFetch(source)(`${base}/a`);
    expect([response.status, await response.text()]).toEqual([401, 'no such token']);
  });

  it.each([
    ['bytes', new TextEncoder().encode('x')],
    ['a buffer', new TextEncoder().encode('x').buffer],
    ['a blob', new Blob(['x'])],
  ])('makes a request with %s again', async (_what, body) => {
    const { source, base } = await setUp('new');
    const response = await authorizedFetch(source)(`${base}/a`, { method: 'POST', body });
    expect(await response.text()).toBe('hello x');
  });

  it.each([
    ['a stream', (url: string): Parameters<typeof fetch> => [url, streamOf('x')]],
    [
      'a Request’s body',
      (url: string): Parameters<typeof fetch> => [new Request(url, { method: 'POST', body: 'x' })],
    ],
  ])(
    'is the answer to %s, which cannot be sent again; the token is reported all the same',
    async (_what, call) => {
      const { api, source, base } = await setUp('new');
      const send = authorizedFetch(source);
      expect((await send(...call(`${base}/a`))).status).toBe(401);
      expect(source.reports).toHaveLength(1);
      expect((await send(...call(`${base}/a`))).status).toBe(200);
      expect(api.seen.map(({ body }) => body)).toEqual(['x', 'x']);
    },
  );

  it('is not waited for once the caller has given up', async () => {
    const { source, base } = await setUp();
    const giveUp = new AbortController();
    const reporting = {
      current: source.current,
      get: () => source.get(),
      rejected: () => {
        giveUp.abort(new Error('enough'));
        return Promise.reject(new Error('enough'));
      },
    };
    const sending = authorizedFetch(reporting)(`${base}/a`, { signal: giveUp.signal });
    await expect(sending).rejects.toThrow('enough');
  });
});

describe('the token goes nowhere else', () => {
  it('and what is no address is refused at once, not when a request is on its way', async () => {
    const { source } = await setUp('old');
    for (const allow of [['gateway.test'], ['']]) {
      expect(() => authorizedFetch(source, { allow })).toThrow(
        expect.objectContaining({ code: 'bad_request' }),
      );
    }
  });

  it.each([
    '/',
    '/backend-api',
    '/backend-api/codexes',
    '/backend-api/codex/../wham',
    '/backend-api/codex/%2e%2e/x',
  ])('not to %s on the same host', async (path) => {
    const { api, source } = await setUp('old');
    const response = await authorizedFetch(source)(api.origin + path, { headers: { Authorization: 'mine' } });
    expect(response.status).toBe(401);
    expect(api.seen).toMatchObject([{ authorization: 'mine', accountId: undefined }]);
    expect(source.reports).toEqual([]);
  });

  it('not to another host, unless the caller vouches for it', async () => {
    const { source } = await setUp('old');
    const other = await startBackend('old');
    await authorizedFetch(source)(`${other.origin}/backend-api/codex/a`);
    await authorizedFetch(source, { allow: [new URL(`${other.origin}/a`)] })(`${other.origin}/a/b`);
    await authorizedFetch(source, { allow: [`${other.origin}/a`] })(`${other.origin}/b`);
    expect(other.seen.map(({ authorization }) => authorization)).toEqual([
      undefined,
      'Bearer old',
      undefined,
    ]);
  });

  it('not to another host after a redirect; nor does anything else that was meant for the first one', async () => {
    const { api, source } = await setUp('old');
    const other = await startBackend();
    api.redirects.set('/backend-api/codex/a', [307, `${other.origin}/open`]);
    const headers = { Cookie: 'own', 'X-Own': 'kept' };
    const response = await authorizedFetch(source)(`${api.origin}/backend-api/codex/a`, {
      method: 'POST',
      body: 'x',
      headers,
    });
    expect(await response.text()).toBe('hello x');
    expect(other.seen).toMatchObject([{ authorization: undefined, accountId: undefined, body: 'x' }]);
    expect(other.seen[0]?.headers).toMatchObject({ 'x-own': 'kept' });
    expect(other.seen[0]?.headers.cookie).toBeUndefined();
  });

  it('but again to the base URL, where a redirect leads within it', async () => {
    const { api, source, base } = await setUp('new');
    api.redirects.set('/backend-api/codex/a', [301, 'b']);
    const response = await authorizedFetch(source)(`${base}/a`, { method: 'POST', body: 'x' });
    expect(response.status).toBe(200);
    expect(api.seen.map(({ method, path, authorization }) => [method, path, authorization])).toEqual([
      ['POST', '/backend-api/codex/a', 'Bearer old'],
      ['GET', '/backend-api/codex/b', 'Bearer old'],
      ['GET', '/backend-api/codex/b', 'Bearer new'],
    ]);
    expect(api.seen[1]?.headers['content-type']).toBeUndefined();
  });
});

describe('redirects', () => {
  it('end when the caller gives up, also one that gave its signal in a Request', async () => {
    const { api, source, base } = await setUp('old');
    api.redirects.set('/backend-api/codex/a', [302, `${base}/b`]);
    const giveUp = new AbortController();
    const sending = authorizedFetch(source, {
      fetch: (input, init) => {
        if (input instanceof URL) giveUp.abort(new Error('enough'));
        return fetch(input, init);
      },
    })(new Request(`${base}/a`, { signal: giveUp.signal }));
    await expect(sending).rejects.toThrow('enough');
  });

  it('end where `fetch` ends them', async () => {
    const { api, source, base } = await setUp('old');
    api.redirects.set('/backend-api/codex/a', [302, 'a']);
    await expect(authorizedFetch(source)(`${base}/a`)).rejects.toThrow(TypeError);
    expect(api.seen).toHaveLength(21);
  });

  it('are the caller’s where the caller wants them', async () => {
    const { api, source, base } = await setUp('old');
    api.redirects.set('/backend-api/codex/a', [302, 'b']);
    const response = await authorizedFetch(source)(`${base}/a`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, 'b']);
    await expect(authorizedFetch(source)(`${base}/a`, { redirect: 'error' })).rejects.toThrow(TypeError);
  });

  it('lead neither out of HTTP nor to a second sending of a stream', async () => {
    const { api, source, base } = await setUp('old');
    api.redirects.set('/backend-api/codex/a', [302, 'data:text/plain,x']);
    api.redirects.set('/backend-api/codex/b', [307, 'c']);
    await expect(authorizedFetch(source)(`${base}/a`)).rejects.toThrow(TypeError);
    await expect(authorizedFetch(source)(`${base}/b`, streamOf('x'))).rejects.toThrow(TypeError);
  });
});

it('any fetch will do', async () => {
  const { source, base } = await setUp();
  const calls: Parameters<typeof fetch>[] = [];
  const send = authorizedFetch(source, {
    fetch: (...call) => {
      calls.push(call);
      return Promise.resolve(new Response('own'));
    },
  });
  expect(await (await send(`${base}/a`)).text()).toBe('own');
  expect(new Headers(calls[0]?.[1]?.headers).get('authorization')).toBe('Bearer old');
});
