import type { CodexVersion, Codex } from './codex.js';
import { readAuth, removeAuth, writeAuth } from './codex.js';
import type { Daemon } from './daemon.js';
import { fileSystemOf } from './file-system.js';
import { keyDocument, loginDocument, parseDocument, tokensOf, type AuthDocument } from './login-text.js';
import { VirtualProcess } from './process.js';
import { handle, isHandling, type Handling } from './switchers.js';
import type { AccessGrant } from './server.js';
import type { World } from './world.js';

/** What somebody else does with the login. */
export type Deed =
  /** Codex runs: it refreshes the tokens if they are about to expire or are refused. */
  | 'exec'
  /** Codex refreshes, whether it is needed or not: nothing stops it if it meets a 401. */
  | 'refresh'
  /** Some program edits another field of the file. */
  | 'edit'
  /** An older Codex writes back what it read a good while before. */
  | 'write late'
  | 'log in'
  | 'log in as another'
  | 'log out'
  | 'set a key'
  | Handling;

/** Consumers that report tokens as rejected, rightly or not. */
export interface Reporting {
  /** Whether the server has ended the access token; else they lie. */
  readonly isTrue: boolean;
  readonly consumers: number;
  /** How often each of them does, always of the token that it finds. */
  readonly times: number;
  readonly pauseMs: number;
  readonly waitMs: number;
}

/** Codex refreshes when less than this part of the token's life is left: five minutes of an hour. */
const ABOUT_TO_EXPIRE = 1 / 12;

/** Somebody runs Codex of this version, and goes. */
export async function run(world: World, version: CodexVersion, deed: Deed): Promise<void> {
  const process = new VirtualProcess(isHandling(deed) ? 'somebody' : `codex ${version}`, '', world);
  world.join(process);
  const { home, realPath } = world;
  const codex: Codex = {
    version,
    fs: fileSystemOf(process, world),
    clock: process.clock,
    home,
    realPath,
    onGivenUp: () => {
      world.inspector.onCodexGaveUp(process);
    },
  };
  await carryOut(world, codex, process, deed);
  process.kill();
}

/** Some consumers report the current token at once, and then whatever they find, one time after the other. */
export function reportTokens(world: World, daemon: Daemon, reporting: Reporting): void {
  const { isTrue, consumers, times, pauseMs, waitMs } = reporting;
  if (isTrue) world.revoke('access token');
  const report = async (left: number): Promise<void> => {
    const fingerprint = daemon.kept?.keeper.snapshot().login?.fingerprint ?? '0123456789ab';
    await daemon.report({ fingerprint, minValidMs: 0, waitMs });
    if (left > 1) world.timeline.after(pauseMs, () => void report(left - 1), false);
  };
  for (let consumer = 0; consumer < consumers; consumer += 1) void report(times);
}

async function carryOut(world: World, codex: Codex, process: VirtualProcess, deed: Deed): Promise<void> {
  const { server, timeline } = world;
  const nowMs = timeline.nowMs;
  const write = (document: AuthDocument): Promise<void> => writeAuth(codex, document, () => true);
  switch (deed) {
    case 'log in':
      return write(loginDocument(server.logIn('somebody'), world.nextNote(), nowMs));
    case 'log in as another':
      return write(loginDocument(server.logIn('somebody-else'), world.nextNote(), nowMs));
    case 'log out':
      return removeAuth(codex);
    case 'set a key':
      return write(keyDocument(world.nextNote()));
    case 'take away':
    case 'switch account':
    case 'turn link':
      return handle(world, process, deed);
    case 'exec':
    case 'refresh':
      return refresh(world, codex, process, deed === 'refresh');
    case 'edit':
    case 'write late': {
      const text = await readAuth(codex);
      const document = parseDocument(text);
      if (deed === 'write late') await process.wait(world.random.next() * server.lifetimeMs);
      if (document === null) return;
      const edited = { ...document, note: world.nextNote() };
      return writeAuth(codex, edited, (current) => current === text);
    }
  }
}

async function refresh(
  world: World,
  codex: Codex,
  process: VirtualProcess,
  isForced: boolean,
): Promise<void> {
  const { server, timeline, network } = world;
  const document = parseDocument(await readAuth(codex));
  const tokens = document?.tokens;
  if (document === null || tokens === undefined) return;
  const grant = server.accessOf(tokens.access_token);
  const leftMs = (grant?.expiresAtMs ?? 0) - timeline.nowMs;
  const isRefused = grant?.isRevoked === true;
  if (!isForced && !isRefused && leftMs > server.lifetimeMs * ABOUT_TO_EXPIRE) return;
  const { status, body } = await network.sendForOther(process, tokens.refresh_token);
  if (status !== 200) return;
  const { access_token } = JSON.parse(body) as { access_token: string };
  const issued = server.accessOf(access_token);
  if (issued === undefined) return;
  await writeAuth(
    codex,
    refreshed(document, issued, timeline.nowMs),
    (current) => parseDocument(current)?.tokens?.refresh_token === tokens.refresh_token,
  );
}

/** Codex drops the fields that it does not know (facts 1.2). */
function refreshed(document: AuthDocument, issued: AccessGrant, nowMs: number): AuthDocument {
  const { auth_mode, OPENAI_API_KEY } = document;
  return { auth_mode, OPENAI_API_KEY, tokens: tokensOf(issued), last_refresh: new Date(nowMs).toISOString() };
}
