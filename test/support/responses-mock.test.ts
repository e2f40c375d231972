import { expect, it, onTestFinished } from 'vitest';
import { ResponsesMock } from './responses-mock.js';
import { StrictTokenEndpoint } from './strict-token-endpoint.js';
import { ACCOUNT_ID, fingerprintOf } from './tokens.js';

async function start(): Promise<{ mock: ResponsesMock; endpoint: StrictTokenEndpoint }> {
  const endpoint = await StrictTokenEndpoint.start();
  const mock = await ResponsesMock.start({
    accepts: (token, nowMs) => endpoint.honoursAccessToken(token, nowMs),
  });
  onTestFinished(async () => {
    await mock.close();
    await endpoint.close();
  });
  return { mock, endpoint };
}

function ask(
  { baseUrl }: ResponsesMock,
  token: string | null,
  path = '/responses',
  accountId = ACCOUNT_ID,
): Promise<Response> {
  return fetch(`${baseUrl}${path}`, {
    method: 'POST',
    headers: {
      'chatgpt-account-id': accountId,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: '{"input":"hi"}',
  });
}

it('the model answers a valid token with the three events that Codex needs', async () => {
  const { mock, endpoint } = await start();
  const { access_token: token } = endpoint.login();
  const response = await ask(mock, token);
  const text = await response.text();
  expect(response.status).toBe(200);
  expect([...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)).toEqual([
    'response.created',
    'response.output_item.done',
    'response.completed',
  ]);
  expect(text).toContain('hello from the mock');
  expect(mock.requests).toMatchObject([
    { outcome: 'answered', fingerprint: fingerprintOf(token), accountId: ACCOUNT_ID, body: { input: 'hi' } },
  ]);
});

it('the model answers 401 to a token that has expired, was ended with its login, or was never issued', async () => {
  const { mock, endpoint } = await start();
  endpoint.lifetimeSeconds = 0;
  const expired = endpoint.login();
  endpoint.lifetimeSeconds = 60;
  const ended = endpoint.login();
  endpoint.endLogin(ended.refresh_token);
  for (const token of [expired.access_token, ended.access_token, 'a.b.c', null]) {
    expect((await ask(mock, token)).status).toBe(401);
  }
  expect(mock.turns('unauthorized')).toHaveLength(4);
});

it('the model answers 401 to a token whose account the request does not name, and to one that was ended early', async () => {
  const { mock, endpoint } = await start();
  const { access_token: token } = endpoint.login();
  expect((await ask(mock, token, '/responses', 'acct-other')).status).toBe(401);
  expect((await ask(mock, token)).status).toBe(200);
  endpoint.endAccessToken(token);
  expect((await ask(mock, token)).status).toBe(401);
});

it('the model refuses a valid token when it is told to, and books what it does not know', async () => {
  const { mock, endpoint } = await start();
  const { access_token: token } = endpoint.login();
  mock.refuseNext();
  expect((await ask(mock, token)).status).toBe(401);
  expect((await ask(mock, token)).status).toBe(200);
  expect((await ask(mock, token, '/models')).status).toBe(404);
  expect(mock.requests.map(({ outcome }) => outcome)).toEqual(['unauthorized', 'answered', 'strayed']);
});

it('the model holds its answer back until the gate is opened', async () => {
  const { mock, endpoint } = await start();
  const gate = mock.holdNext();
  let isAnswered = false;
  const asked = ask(mock, endpoint.login().access_token).then((response) => {
    isAnswered = true;
    return response.status;
  });
  expect(await gate.arrived).toMatchObject({ outcome: 'answered' });
  expect(isAnswered).toBe(false);
  gate.open();
  expect(await asked).toBe(200);
});
