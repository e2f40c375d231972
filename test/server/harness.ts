import { mkdtemp, rm } from 'node:fs/promises';
import { request, type Agent, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import type { ProblemBody } from '../../src/protocol.js';
import { startServer, type RunningServer, type ServerOptions } from '../../src/server/server.js';
import { createManualClock, type ManualClock } from './manual-clock.js';
import { createScriptedKeeper, type ScriptedKeeper } from './scripted-keeper.js';

/** A server with one scripted account, that ends with the test. */
export interface Harness {
  readonly server: RunningServer;
  readonly socketPath: string;
  readonly keeper: ScriptedKeeper;
  readonly keepers: Map<string, ScriptedKeeper>;
  readonly clock: ManualClock;
  /** What was logged, line by line. */
  readonly logged: LogLine[];
}

type LogLine = Record<string, unknown>;

export async function start(change: Partial<ServerOptions> = {}): Promise<Harness> {
  const socketPath = change.socketPath ?? join(await temporaryDirectory(), 'authd.sock');
  const clock = createManualClock();
  const keeper = createScriptedKeeper('default', () => clock.now());
  const keepers = new Map([[keeper.account, keeper]]);
  const logged: LogLine[] = [];
  const server = await startServer({
    socketPath,
    keepers: () => keepers,
    version: '1.2.3',
    startedAtMs: clock.now() - 3_600_000,
    locks: 'flock',
    clock,
    log: memoryLog(logged),
    ...change,
  });
  onTestFinished(async () => {
    const closed = server.close();
    const hurry = setInterval(() => {
      clock.advance(1000);
    }, 5);
    await closed;
    clearInterval(hurry);
  });
  return { server, socketPath, keeper, keepers, clock, logged };
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'authd-server-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function memoryLog(lines: LogLine[] = []): ServerOptions['log'] {
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as LogLine);
      done();
    },
  });
  return pino({ level: 'debug' }, destination);
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

/** One request over the socket; on a connection of its own where no agent is given. */
export function ask(socketPath: string, path: string, asking: Asking = {}): Promise<Reply> {
  const { body, headers, agent = false, ...options } = asking;
  // node:http would say nothing of a body that follows a DELETE.
  const length =
    options.method === 'DELETE' && body !== undefined
      ? { 'Content-Length': String(Buffer.byteLength(body)) }
      : {};
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, path, agent, headers: { Host: 'localhost', ...length, ...headers }, ...options },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.once('error', reject);
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    asked.once('error', reject);
    asked.end(body);
  });
}

export function parseProblem(reply: Reply): ProblemBody {
  return JSON.parse(reply.body) as ProblemBody;
}

/** A connection for bytes that no HTTP client would send. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything received until now. */
  readonly received: () => string;
  /** Resolves with everything received when the server ends the connection. */
  readonly ended: Promise<string>;
  /** Resolves as soon as what was received satisfies the condition. */
  until(condition: (received: string) => boolean): Promise<string>;
}

export async function dial(socketPath: string): Promise<RawConnection> {
  const socket = connect({ path: socketPath });
  let text = '';
  const watchers = new Set<() => void>();
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (const watch of watchers) watch();
  });
  // A reset is one of the ways in which the server may end it.
  socket.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    socket.once('close', () => {
      resolve(text);
    });
  });
  onTestFinished(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return {
    socket,
    received: () => text,
    ended,
    until: (condition) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!condition(text)) return;
          watchers.delete(look);
          resolve(text);
        };
        watchers.add(look);
        void ended.then(() => {
          reject(new Error(`the connection ended with: ${text}`));
        });
        look();
      }),
  };
}

/** Resolves when `condition` holds; looks at every turn of the event loop, and gives up after two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 2000;
  while (!condition()) {
    if (performance.now() > giveUpMs) throw new Error(`never happened: ${condition.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
