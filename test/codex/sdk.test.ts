import { beforeAll, describe, expect, it } from 'vitest';
import { codexBinary, CODEX_INSTALL_TIMEOUT_MS, sdkPackage } from '../support/codex-binary.js';
import { reportRejected } from '../../src/index.js';
import type { SdkThread } from '../support/codex-sdk.js';
import { ACCOUNT_ID, fingerprintOf } from '../support/tokens.js';
import { BINARIES, startDaemon } from './sdk-stage.js';
import { isCodex, logIn, NOBODY_REFRESHES_S, setStage } from './stage-set.js';

beforeAll(async () => {
  await sdkPackage();
  await codexBinary('0.169.0');
}, CODEX_INSTALL_TIMEOUT_MS);

/** The answer of the model, or what the SDK threw. */
async function ask(thread: SdkThread, question = '1+1'): Promise<string> {
  try {
    return (await thread.run(question)).finalResponse;
  } catch (error) {
    return String(error);
  }
}

describe.each(BINARIES)('the real SDK with the Codex %s', (binary) => {
  it.each(['command', 'published', 'environment'] as const)(
    'asks on the route %s what 1+1 is, and is told 2',
    async (route) => {
      const stage = await setStage('');
      const { access_token: token } = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
      const { endpoint, model, thread } = await startDaemon(stage);
      model.reply = '2';
      expect(await ask(await thread(binary, { route }))).toBe('2');
      expect(model.turns('answered')).toMatchObject([
        { accountId: ACCOUNT_ID, fingerprint: fingerprintOf(token) },
      ]);
      expect(JSON.stringify(model.turns('answered')[0]?.body)).toContain('1+1');
      // Neither Codex nor the daemon had any reason to: a start of Codex is no rejection.
      expect(endpoint.requests).toEqual([]);
    },
  );

  it('goes on, on the route command, within the very turn in which the server ended its token', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const { endpoint, model, thread } = await startDaemon(stage);
    model.reply = '2';
    const talk = await thread(binary);
    expect(await ask(talk)).toBe('2');
    endpoint.endAccessToken(token);
    expect(await ask(talk)).toBe('2');
    expect(model.turns('unauthorized').length).toBeGreaterThan(0);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
    const [first, second] = model.turns('answered').map(({ fingerprint }) => fingerprint);
    expect(first).toBe(fingerprintOf(token));
    expect(second).not.toBe(first);
  });
});

describe.each(BINARIES)('a home in which the daemon publishes, with the Codex %s', (binary) => {
  it('is good again for the first turn after somebody has reported that its token was rejected', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, { lifetimeSeconds: NOBODY_REFRESHES_S });
    const { daemon, endpoint, model, thread } = await startDaemon(stage);
    model.reply = '2';
    const talk = await thread(binary, { route: 'published' });
    expect(await ask(talk)).toBe('2');
    endpoint.endAccessToken(token);
    expect(await ask(talk)).not.toBe('2');
    await reportRejected({ socket: daemon.socket, fingerprint: fingerprintOf(token) });
    const { fingerprint } = await daemon.account();
    const isPublished = async (): Promise<boolean> =>
      (await daemon.account()).published.every((each) => each.fingerprint === fingerprint);
    while (!(await isPublished()));
    expect(await ask(talk)).toBe('2');
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
  });
});

const TURNS = 10;
const SHORT_LIFE_S = 20;

describe('while tokens live 20 s', () => {
  it('each of 10 turns of a thread has another token and succeeds, on the routes command and published', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, { lifetimeSeconds: SHORT_LIFE_S });
    stage.endpoint.lifetimeSeconds = SHORT_LIFE_S;
    const { daemon, endpoint, model, thread } = await startDaemon(stage);
    const log = daemon.listen();
    model.reply = '2';
    const routes = ['command', 'published'] as const;
    const threads = await Promise.all(
      routes.flatMap((route) => BINARIES.map((binary) => thread(binary, { route }))),
    );
    const oneShot = await thread('0.169.0', { route: 'environment' });
    expect(await ask(oneShot)).toBe('2');

    const seen = new Set<string>();
    for (let turn = 1; turn <= TURNS; turn += 1) {
      const { data } = await log.until(
        ({ event, data }) => event === 'credential' && !seen.has(data.fingerprint),
      );
      seen.add(data.fingerprint ?? '');
      expect(await Promise.all(threads.map((talk) => ask(talk)))).toEqual(['2', '2', '2', '2']);
    }
    const used = model.turns('answered').slice(1);
    console.info(`${String(used.length)} turns, ${String(endpoint.requests.length)} rotations`);
    expect(used).toHaveLength(threads.length * TURNS);
    expect(new Set(used.map(({ fingerprint }) => fingerprint)).size).toBeGreaterThanOrEqual(TURNS);
    expect(endpoint.requests.filter(isCodex)).toEqual([]);
    expect(endpoint.sentTwice()).toEqual([]);
    // Without renewal it is over, as it must be: the strictness that the others met was real.
    expect(endpoint.verifyAccessToken(token, Date.now())).toBe(false);
    expect(await ask(oneShot)).toContain('401');
  });
});
