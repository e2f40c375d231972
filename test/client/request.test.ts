import { spawn } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectionError } from '../../src/client/failures.js';
import { ask, LARGEST_ANSWER_BYTES } from '../../src/client/request.js';
import { AuthdError } from '../../src/errors.js';
import { tryToConnect } from '../../src/os/dial.js';
import {
  answer,
  hangUp,
  json,
  problem,
  silence,
  startScriptedDaemon,
  type Handler,
} from '../cli/scripted-daemon.js';
import { makeTempDir, type TempDir } from '../support/temp-dir.js';

let directory: TempDir;
let socket: string;

beforeEach(async () => {
  directory = await makeTempDir();
  socket = join(directory.path, 'authd.sock');
});

afterEach(() => directory.remove());

async function serve(handler: Handler): Promise<void> {
  const daemon = await startScriptedDaemon(socket, { 'GET /x': handler });
  onTestFinished(daemon.close);
}

/** Answers every connection with these bytes, whatever it asks, and closes it. */
async function serveBytes(bytes: string): Promise<void> {
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', () => connection.end(bytes));
  });
  server.listen(socket);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    await once(server, 'close');
  });
}

/**
 * A daemon whose queue of connections is full, because it is busy until the returned function is called. Then it
 * answers every request with `[]`.
 */
async function serveBusily(): Promise<() => void> {
  const script = `
    const { readSync, writeSync } = require('node:fs');
    const server = require('node:http').createServer((request, response) => {
      response.setHeader('Content-Type', 'application/json').end('[]');
    });
    server.listen({ path: process.argv[1], backlog: 1 }, () => {
      writeSync(1, 'busy');
      readSync(0, Buffer.alloc(1));
    });`;
  const child = spawn(process.execPath, ['-e', script, socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await once(child.stdout, 'data');
  while ((await tryToConnect(socket)) === null);
  expect(await tryToConnect(socket)).toBe('EAGAIN');
  return () => child.stdin.write('.');
}

function askX(more: { deadlineMs?: number; signal?: AbortSignal } = {}): Promise<unknown> {
  return ask({ socket, method: 'GET', path: '/x', deadlineMs: 10_000, ...more });
}

async function failure(asked: Promise<unknown>): Promise<AuthdError> {
  const error = await asked.then(
    (value) => value,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AuthdError)) throw new Error('no AuthdError', { cause: error });
  return error;
}

describe('a request', () => {
  it('gives the JSON of a success', async () => {
    await serve(json({ some: ['thing'] }));
    expect(await askX()).toEqual({ some: ['thing'] });
  });

  it('gives a problem as an error with its code, hint, reason and time', async () => {
    await serve(
      problem(503, 'unavailable', 'no new token yet', {
        hint: 'wait',
        reason: 'server_error',
        retry_at: '2026-11-22T17:00:00.000Z',
      }),
    );
    expect(await failure(askX())).toMatchObject({
      code: 'unavailable',
      message: 'no new token yet',
      hint: 'wait',
      reason: 'server_error',
      retryAtMs: Date.parse('2026-11-22T17:00:00.000Z'),
    });
  });

  it.each(['POST', 'PUT', 'DELETE'] as const)(
    'sends the body of a %s as JSON, with its length',
    async (method) => {
      const seen: unknown[] = [];
      const daemon = await startScriptedDaemon(socket, {
        [`${method} /x`]: (request, response) => {
          const { 'content-type': type, 'content-length': length } = request.headers;
          request.setEncoding('utf8').on('data', (text: string) => seen.push(type, length, text));
          request.once('end', () => {
            json([])(request, response);
          });
        },
      });
      onTestFinished(daemon.close);
      await ask({ socket, method, path: '/x', body: { naïve: true }, deadlineMs: 10_000 });
      expect(seen).toEqual(['application/json', '15', '{"naïve":true}']);
    },
  );

  it('gives no hint, reason or time where the problem has none', async () => {
    await serve(problem(404, 'not_found', 'no'));
    const { hint, reason, retryAtMs } = await failure(askX());
    expect([hint, reason, retryAtMs]).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    ['no JSON', answer(200, 'application/json', '{'), 'it is not JSON'],
    ['another type', answer(200, 'text/plain', 'hello'), 'it is text/plain'],
    ['another status', answer(204, 'application/json', ''), 'status 204'],
    ['an error that is no problem', answer(500, 'application/json', '{}'), 'status 500'],
    ['a problem with status 200', answer(200, 'application/problem+json', '{}'), 'application/problem+json'],
    ['a problem that is no JSON', answer(500, 'application/problem+json', '<'), 'it is not JSON'],
    ['a problem without a code', answer(500, 'application/problem+json', '{"detail":"x"}'), '`code`'],
    ['a problem that is null', answer(500, 'application/problem+json', 'null'), '`code`'],
    [
      'a problem of a kind to come',
      answer(500, 'application/problem+json', '{"code":"toString","detail":"x"}'),
      'of an unknown kind: toString: x',
    ],
    ['too much', answer(200, 'application/json', ' '.repeat(LARGEST_ANSWER_BYTES + 1)), 'is larger than'],
  ])('fails with bad_answer for %s', async (_name, handler, why) => {
    await serve(handler);
    const error = await failure(askX());
    expect(error.code).toBe('bad_answer');
    expect(error.message).toContain(why);
    expect(error.hint).toBeDefined();
  });

  it('takes an answer of exactly the largest size', async () => {
    await serve(answer(200, 'application/json', `"${'x'.repeat(LARGEST_ANSWER_BYTES - 2)}"`));
    expect(await askX()).toHaveLength(LARGEST_ANSWER_BYTES - 2);
  });

  it('fails with bad_answer for an answer without an end, and closes the connection', async () => {
    let closed: Promise<unknown> | undefined;
    await serve((_request, response) => {
      closed = once(response, 'close');
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(64 * 1024)));
      };
      response.on('drain', more);
      more();
    });
    expect(await failure(askX())).toMatchObject({ code: 'bad_answer' });
    expect(closed).toBeDefined();
    await closed;
  });

  it('fails with bad_answer for something that is not HTTP', async () => {
    await serveBytes('SSH-2.0-OpenSSH_9.2\r\n');
    expect(await failure(askX())).toMatchObject({ code: 'bad_answer' });
  });

  it.each([
    ['before its answer', ''],
    [
      'within its answer',
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a"',
    ],
  ])('fails with daemon_not_running if the daemon goes away %s', async (_name, bytes) => {
    await serveBytes(bytes);
    expect(await failure(askX())).toMatchObject({ code: 'daemon_not_running' });
  });

  it('fails with daemon_not_running if the daemon hangs up', async () => {
    await serve(hangUp);
    expect(await failure(askX())).toMatchObject({ code: 'daemon_not_running' });
  });

  it('fails with daemon_not_running if there is no socket, or nobody behind it', async () => {
    const hint = 'start it with `codex-authd up`';
    expect(await failure(askX())).toMatchObject({ code: 'daemon_not_running', hint });
    await writeFile(socket, '');
    expect(await failure(askX())).toMatchObject({ code: 'daemon_not_running', hint });
  });

  it('that finds the queue of the daemon full connects again, until it is let in', async () => {
    const goOn = await serveBusily();
    const asked = askX();
    // The first attempt was refused within the call: nobody has accepted anything yet.
    goOn();
    expect(await asked).toEqual([]);
  });

  it('that finds the queue full fails with timeout at its own deadline', async () => {
    await serveBusily();
    expect(await failure(askX({ deadlineMs: 100 }))).toMatchObject({ code: 'timeout' });
  });

  it("that finds the queue full fails with the caller's reason if the caller gives up between two attempts", async () => {
    await serveBusily();
    const controller = new AbortController();
    const asked = askX({ signal: controller.signal });
    await tryToConnect(socket);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  it.each([
    ['that is no JSON', 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\nsecret-token'],
    [
      'with a problem that is no JSON',
      'HTTP/1.1 500 No\r\nContent-Type: application/problem+json\r\n\r\nsecret-token',
    ],
    ['that is no HTTP', 'secret-token\r\n'],
  ])(
    'says nothing of an answer %s, neither in its message nor in what an error drags along',
    async (_name, bytes) => {
      await serveBytes(bytes);
      const error = await failure(askX());
      expect(error.code).toBe('bad_answer');
      const shown = inspect(error, { showHidden: true, depth: Infinity });
      expect(shown).not.toContain('secret');
      // As a buffer is shown.
      expect(shown).not.toContain(
        Buffer.from('secret')
          .toString('hex')
          .replace(/..(?!$)/g, '$& '),
      );
    },
  );

  it('fails with bad_socket if the path leads through a file', async () => {
    await writeFile(join(directory.path, 'file'), '');
    socket = join(directory.path, 'file', 'authd.sock');
    expect(await failure(askX())).toMatchObject({ code: 'bad_socket' });
  });

  it('fails with bad_socket if it may not open the socket', () => {
    // Whoever runs the tests may be root, whom no mode stops.
    const refused = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });
    expect(connectionError(refused, socket)).toMatchObject({
      code: 'bad_socket',
      message: `permission denied to open the socket ${socket}`,
      hint: 'run this as the user that runs the daemon, or name your own socket with --socket',
    });
  });

  it('fails with timeout if no answer begins, and if none ends, before its own deadline', async () => {
    await serve(silence);
    expect(await failure(askX({ deadlineMs: 30 }))).toMatchObject({ code: 'timeout' });
    await rm(socket);
    await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('{');
    });
    expect(await failure(askX({ deadlineMs: 30 }))).toMatchObject({ code: 'timeout' });
  });

  it("fails with the caller's reason if the caller gives up, before or during the request", async () => {
    const reason = new Error('changed my mind');
    await expect(askX({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    await serve(() => {
      controller.abort(reason);
    });
    await expect(askX({ signal: controller.signal })).rejects.toBe(reason);
  });

  it("leaves nothing on the caller's signal", async () => {
    await serve(json({}));
    const { signal } = new AbortController();
    const asked = askX({ signal });
    expect(getEventListeners(signal, 'abort')).not.toEqual([]);
    await asked;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
