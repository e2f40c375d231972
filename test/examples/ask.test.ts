import { describe, expect, it } from 'vitest';
import { startDaemon } from '../codex/sdk-stage.js';
import { isCodex, logIn, NOBODY_REFRESHES_S, setStage } from '../codex/stage-set.js';
import { exampleFile, runProgram, watchArguments } from '../support/example.js';
import { ACCOUNT_ID, fingerprintOf } from '../support/tokens.js';

const FRESH = { lifetimeSeconds: NOBODY_REFRESHES_S };
const EXPIRED = { lifetimeSeconds: 3600, agoMs: 2 * 3600_000 };
const QUESTION = 'what is "1+1"?';

describe.each([
  ['fetch', [process.execPath, exampleFile('fetch/ask.mjs')]],
  ['curl', ['sh', exampleFile('shell/ask.sh')]],
  ['Python', ['python3', exampleFile('python/ask.py')]],
] as const)('the example for %s', (_name, program) => {
  it('prints the answer to its question', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, FRESH);
    const { model, sandbox } = await startDaemon(stage);
    model.reply = '2';
    const end = await runProgram(sandbox, [...program, QUESTION]);
    expect(end).toEqual({ code: 0, stdout: '2\n', stderr: '' });
    const turns = model.turns('answered');
    expect(turns).toMatchObject([{ accountId: ACCOUNT_ID, fingerprint: fingerprintOf(token) }]);
    expect(turns[0]?.body).toMatchObject({ input: [{ content: [{ text: QUESTION }] }] });
  });

  it('goes on with the next token where the server has ended this one before its time', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, FRESH);
    const { endpoint, model, sandbox } = await startDaemon(stage);
    endpoint.endAccessToken(token);
    model.reply = '2';
    expect(await runProgram(sandbox, [...program, QUESTION])).toMatchObject({ code: 0, stdout: '2\n' });
    expect(model.turns('unauthorized')).toMatchObject([{ fingerprint: fingerprintOf(token) }]);
    expect(model.turns('answered')).toHaveLength(1);
    expect(endpoint.requests.map(isCodex)).toEqual([false]);
  });

  it('waits where there is no valid token yet, and sends no expired one', async () => {
    const stage = await setStage('');
    await logIn(stage, EXPIRED);
    const gate = stage.endpoint.holdNext();
    const { model, sandbox } = await startDaemon(stage);
    model.reply = '2';
    const ending = runProgram(sandbox, [...program, QUESTION]);
    await gate.arrived;
    gate.open();
    expect(await ending).toMatchObject({ code: 0, stdout: '2\n' });
    expect(model.requests.map(({ outcome }) => outcome)).toEqual(['answered']);
  });

  it('says what to do where nobody is logged in, and asks nothing', async () => {
    const stage = await setStage('');
    const { model, sandbox } = await startDaemon(stage);
    const { code, stdout, stderr } = await runProgram(sandbox, [...program, QUESTION]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('codex login');
    expect(model.requests).toEqual([]);
  });
});

describe('the example for curl', () => {
  it('has no token among the arguments of any program', async () => {
    const stage = await setStage('');
    const { access_token: token } = await logIn(stage, FRESH);
    const { endpoint, sandbox } = await startDaemon(stage);
    endpoint.endAccessToken(token);
    const { env, book } = await watchArguments(sandbox, ['curl', 'sed', 'tr', 'cat']);
    const program = ['sh', exampleFile('shell/ask.sh'), QUESTION];
    expect(await runProgram(sandbox, program, { env })).toMatchObject({ code: 0 });
    const seen = await book();
    // Both the daemon and the server were asked twice, by programs that were watched.
    expect(seen.match(/^curl$/gm)).toHaveLength(4);
    expect(seen).toContain(`{"fingerprint":"${fingerprintOf(token)}"}`);
    expect(seen).not.toContain('eyJ');
  });
});
