import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSandbox, runCli, startCli, type Sandbox } from './run-cli.js';
import {
  ACCOUNT,
  answer,
  CREDENTIAL,
  event,
  events,
  problem,
  startScriptedDaemon,
  type Script,
  type ScriptedDaemon,
} from './scripted-daemon.js';

let sandbox: Sandbox;
let daemon: ScriptedDaemon | undefined;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
  await sandbox.remove();
});

async function listen(script?: Script): Promise<ScriptedDaemon> {
  daemon = await startScriptedDaemon(sandbox.socket, script);
  return daemon;
}

function lineCount(count: number): (stdout: string) => boolean {
  return (stdout) => stdout.split('\n').length > count;
}

describe('watch', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints a line per event until %s, then exits with 0',
    async (signal) => {
      const { requests } = await listen();
      const cli = startCli(sandbox, ['watch', '--account', 'default']);
      const stdout = await cli.stdoutUntil(lineCount(2));
      expect(stdout).toMatch(
        /^\d\d:\d\d:\d\d state fresh: the access token is valid\n\d\d:\d\d:\d\d credential generation 8 expires in \d+ d( \d+ h)?\n$/,
      );
      cli.process.kill(signal);
      expect(await cli.ended).toEqual({ code: 0, signal: null, stdout, stderr: '' });
      expect(requests).toEqual(['GET /v1/events?account=default']);
    },
  );

  it('prints one JSON object per event with --json, without the token', async () => {
    await listen();
    const cli = startCli(sandbox, ['watch', '--json']);
    const stdout = await cli.stdoutUntil(lineCount(2));
    cli.process.kill('SIGINT');
    await cli.ended;
    const [state, credential] = stdout.trimEnd().split('\n');
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;
    expect(JSON.parse(state ?? '')).toEqual({ at, event: 'state', ...ACCOUNT });
    const { access_token: token, ...rest } = CREDENTIAL;
    expect(JSON.parse(credential ?? '')).toEqual({ at, event: 'credential', ...rest });
    expect(stdout).not.toContain(token);
  });

  it('prints each event as it comes, in whatever pieces', async () => {
    let write: (text: string) => void = () => undefined;
    await listen({
      'GET /v1/events': (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        write = (text) => response.write(text);
        write(`: hello\n\n${event('state', ACCOUNT)}`);
      },
    });
    const cli = startCli(sandbox, ['watch']);
    await cli.stdoutUntil(lineCount(1));
    const text = event('credential', { ...CREDENTIAL, expires_at: null, plan: 'für dich' });
    for (const piece of [text.slice(0, 30), text.slice(30)]) write(piece);
    const stdout = await cli.stdoutUntil(lineCount(2));
    expect(stdout).toContain(' credential generation 8 with no known expiry\n');
    cli.process.kill('SIGINT');
    await cli.ended;
  });

  it('leaves out events that it does not know', async () => {
    await listen({ 'GET /v1/events': events(event('news', { free: true }), event('state', ACCOUNT)) });
    const cli = startCli(sandbox, ['watch']);
    expect(await cli.stdoutUntil(lineCount(1))).toMatch(/^\S+ state fresh/);
    cli.process.kill('SIGINT');
    await cli.ended;
  });

  it('says so and exits with 3 when the daemon goes away', async () => {
    const { close } = await listen();
    const cli = startCli(sandbox, ['watch']);
    await cli.stdoutUntil(lineCount(2));
    await close();
    const { code, stderr } = await cli.ended;
    expect(code).toBe(3);
    expect(stderr).toBe(
      `codex-authd: error: the daemon on ${sandbox.socket} closed the connection\n` +
        'codex-authd: hint: if it was stopped, start it with `codex-authd up`\n',
    );
  });

  it('exits with 3 when the daemon ends the stream in good order, too', async () => {
    await listen({
      'GET /v1/events': (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.end(event('state', ACCOUNT));
      },
    });
    const { code, stdout, stderr } = await runCli(sandbox, ['watch']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^\S+ state fresh: the access token is valid\n$/);
    expect(stderr).toContain('closed the connection');
  });

  it('ends without a word when its reader goes away', async () => {
    let write: (text: string) => void = () => undefined;
    await listen({
      'GET /v1/events': (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        write = (text) => response.write(text);
        write(event('state', ACCOUNT));
      },
    });
    const cli = startCli(sandbox, ['watch']);
    await cli.stdoutUntil(lineCount(1));
    cli.process.stdout.destroy();
    write(event('state', ACCOUNT));
    expect(await cli.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('exits with 3 if no daemon runs, and with 1 for an account that there is not', async () => {
    expect(await runCli(sandbox, ['watch'])).toMatchObject({ code: 3, stdout: '' });
    await listen({ 'GET /v1/events': problem(404, 'unknown_account', 'there is no account x') });
    expect(await runCli(sandbox, ['watch', '--account', 'x'])).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: 'codex-authd: error: there is no account x\n',
    });
  });

  it.each([
    ['no stream', answer(200, 'application/json', '{}'), 'it is not a stream of events'],
    ['an event that is no JSON', events('event: state\ndata: {\n\n'), 'a state event is not JSON'],
    ['an event of another shape', events(event('credential', {})), 'a credential event is not of the shape'],
    ['an event without an end', events(`data: ${'x'.repeat(1024 * 1024 + 1)}`), 'an event has no end'],
  ])('exits with 1 for %s', async (_name, handler, why) => {
    await listen({ 'GET /v1/events': handler });
    const { code, stdout, stderr } = await runCli(sandbox, ['watch']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(why);
  });
});
