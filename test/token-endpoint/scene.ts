import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import type { SendRefresh } from '../../src/keeper/ports.js';
import { TokenEndpoint, type TokenEndpointOptions } from '../../src/token-endpoint/token-endpoint.js';

export const TOKEN = new Secret('refresh&token=1');
export const ignore = (): void => undefined;
const yes = (): Promise<boolean> => Promise.resolve(true);

type Send = (
  token: Secret,
  onBytes: (bytes: Uint8Array) => void,
  mayLeave?: () => Promise<boolean>,
) => ReturnType<SendRefresh>;

/** One that prepares and sends at once. */
export function endpoint(url: string, options: Partial<TokenEndpointOptions> = {}): { send: Send } {
  const base = {
    clientId: 'client-1',
    scope: null,
    bodyFormat: 'json',
    userAgent: 'codex-authd/test',
    env: {},
  } as const;
  const made = new TokenEndpoint({ ...base, url, ...options });
  return {
    send: async (token, onBytes, mayLeave = yes) => (await made.prepare())(token, onBytes, mayLeave),
  };
}

/** The loopback port of a server, until the test is over. */
export async function listening(server: Server | ReturnType<typeof createTcp>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

interface Seen {
  readonly method: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server that answers every request the same, and remembers them. */
export async function serving(
  answer: RequestListener,
): Promise<{ url: string; seen: Seen[]; connections: () => number }> {
  const seen: Seen[] = [];
  let connections = 0;
  const server = createHttp((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      seen.push({ method: request.method, headers: request.headers, body });
      answer(request, response);
    });
  });
  server.on('connection', () => (connections += 1));
  const port = await listening(server);
  return { url: `http://127.0.0.1:${String(port)}/oauth/token`, seen, connections: () => connections };
}

/** A server that does this with each connection once something has come in. */
export async function treating(treat: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      treat(socket);
    });
  });
  const port = await listening(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${String(port)}/oauth/token`;
}
