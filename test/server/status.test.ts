import { describe, expect, it } from 'vitest';
import { REASONS, type ReasonCode } from '../../src/core/reasons.js';
import type { HealthBody, StatusBody } from '../../src/protocol.js';
import { ask, parseProblem, start } from './harness.js';
import { createScriptedKeeper, makeCredential, makeState } from './scripted-keeper.js';

describe('GET /v1/status', () => {
  it('says everything of the daemon and its accounts', async () => {
    const { socketPath } = await start();
    const reply = await ask(socketPath, '/v1/status');
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-store', server: 'codex-authd/1.2.3' },
    });
    const expected: StatusBody = {
      schema: 1,
      version: '1.2.3',
      node: process.version,
      pid: process.pid,
      started_at: '2026-11-22T11:00:00.000Z',
      socket: socketPath,
      locks: 'flock',
      accounts: [
        {
          account: 'default',
          state: 'fresh',
          reason: 'valid',
          detail: 'this is valid',
          hint: null,
          serving: true,
          serves_until: '2026-12-02T11:00:00.000Z',
          login: 'chatgpt',
          email: 'ada@example.com',
          account_id: 'acct-1',
          plan: 'pro',
          generation: 7,
          fingerprint: makeCredential().accessToken.fingerprint,
          issued_at: '2026-11-22T11:00:00.000Z',
          expires_at: '2026-12-02T11:00:00.000Z',
          next_rotation_at: '2026-11-29T23:00:00.000Z',
          last_rotation_at: '2026-11-22T11:00:00.000Z',
          written_by: 'codex-authd',
          written_at: '2026-11-22T11:00:00.000Z',
          auth_file: '/home/ada/.codex/auth.json',
          token_endpoint: 'https://auth.openai.com/oauth/token',
          clock_offset_seconds: 0,
          counts: { own: 0, adopted: 0, requests: 0, failures: 0, rejections: 0 },
          published: [],
        },
      ],
    };
    expect(JSON.parse(reply.body)).toEqual(expected);
  });

  it('never holds a token', async () => {
    const { socketPath } = await start();
    expect((await ask(socketPath, '/v1/status')).body).not.toContain('token-of-generation-7');
  });

  it('leaves null what an account without a login cannot have', async () => {
    const { socketPath, keeper } = await start();
    keeper.set({
      state: makeState('no_file'),
      credential: null,
      login: null,
      nextRotationAtMs: null,
      lastRotationAtMs: null,
      clockOffsetMs: -3_600_400,
    });
    const { accounts } = JSON.parse((await ask(socketPath, '/v1/status')).body) as StatusBody;
    expect(accounts).toEqual([
      {
        account: 'default',
        state: 'logged_out',
        reason: 'no_file',
        detail: 'this is no_file',
        hint: 'run `codex login`',
        serving: false,
        serves_until: null,
        login: null,
        email: null,
        account_id: null,
        plan: null,
        generation: null,
        fingerprint: null,
        issued_at: null,
        expires_at: null,
        next_rotation_at: null,
        last_rotation_at: null,
        written_by: null,
        written_at: null,
        auth_file: '/home/ada/.codex/auth.json',
        token_endpoint: 'https://auth.openai.com/oauth/token',
        clock_offset_seconds: -3600,
        counts: { own: 0, adopted: 0, requests: 0, failures: 0, rejections: 0 },
        published: [],
      },
    ]);
  });

  it('lists the accounts that there are at the moment of asking', async () => {
    const { socketPath, keepers } = await start();
    keepers.set('work', createScriptedKeeper('work'));
    const names = async (): Promise<string[]> =>
      (JSON.parse((await ask(socketPath, '/v1/status')).body) as StatusBody).accounts.map(
        ({ account }) => account,
      );
    expect(await names()).toEqual(['default', 'work']);
    keepers.clear();
    expect(await names()).toEqual([]);
  });
});

describe('GET /healthz', () => {
  const reasons = Object.keys(REASONS) as ReasonCode[];

  it.each(reasons)('shows %s, with 200 if a credential is served', async (reason) => {
    const { socketPath, keeper } = await start();
    const expected: HealthBody = {
      account: 'default',
      state: REASONS[reason].state,
      reason,
      detail: `this is ${reason}`,
    };
    for (const serving of [true, false]) {
      keeper.set({ state: makeState(reason, { serving }) });
      const reply = await ask(socketPath, '/healthz');
      expect(reply.status).toBe(serving ? 200 : 503);
      expect(reply.headers).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
      });
      expect(JSON.parse(reply.body)).toEqual(expected);
    }
  });

  it('is asked for one account', async () => {
    const { socketPath, keepers } = await start();
    const work = createScriptedKeeper('work');
    work.set({ state: makeState('not_json') });
    keepers.set('work', work);
    expect((await ask(socketPath, '/healthz?account=work')).status).toBe(503);
    expect((await ask(socketPath, '/healthz?account=default')).status).toBe(200);
    const unknown = await ask(socketPath, '/healthz?account=play');
    expect(unknown.status).toBe(404);
    expect(parseProblem(unknown).code).toBe('unknown_account');
  });
});
