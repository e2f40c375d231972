import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Sandbox } from '../cli/run-cli.js';
import { configureCodex, type CodexOptions } from '../support/codex-process.js';
import { ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { ResponsesMock } from '../support/responses-mock.js';
import { StrictTokenEndpoint, type TokenRequest } from '../support/strict-token-endpoint.js';

/** A home for Codex and the daemon, and the two servers that they talk to. */
export interface StageSet {
  readonly endpoint: StrictTokenEndpoint;
  readonly model: ResponsesMock;
  readonly sandbox: Sandbox;
  readonly authFile: string;
  /** For `startCodex`. */
  readonly codex: CodexOptions;
  /** How far back the token endpoint's clock stands, in milliseconds. */
  readonly clock: { agoMs: number };
}

export async function setStage(binary: string): Promise<StageSet> {
  const clock = { agoMs: 0 };
  const endpoint = await StrictTokenEndpoint.start({ now: () => Date.now() - clock.agoMs });
  const model = await ResponsesMock.start({
    accepts: (token, nowMs) => endpoint.honoursAccessToken(token, nowMs),
  });
  onTestFinished(async () => {
    await endpoint.close();
    await model.close();
  });
  const sandbox = await ownSandbox();
  await configureCodex(sandbox, model.baseUrl);
  const authFile = join(sandbox.codexHome, 'auth.json');
  const codex = { binary, sandbox, tokenEndpoint: endpoint.url };
  return { endpoint, model, sandbox, authFile, codex, clock };
}

/** Codex refreshes what has less than 5 minutes left (facts 2.2); the daemon waits for half of such a short life. */
export const CODEX_REFRESHES_S = 240;
/** With this much left Codex does nothing, and neither does the daemon for a while. */
export const NOBODY_REFRESHES_S = 3600;

export interface NewLogin {
  readonly lifetimeSeconds: number;
  /** How long ago it took place; just now by default. */
  readonly agoMs?: number;
  readonly accountId?: string;
}

/** Writes a new login into the file. The access tokens that follow on it live an hour. */
export async function logIn({ endpoint, authFile, clock }: StageSet, login: NewLogin): Promise<LoginTokens> {
  const { lifetimeSeconds, agoMs = 0, accountId } = login;
  endpoint.lifetimeSeconds = lifetimeSeconds;
  clock.agoMs = agoMs;
  const tokens = endpoint.login(accountId === undefined ? {} : { accountId });
  endpoint.lifetimeSeconds = NOBODY_REFRESHES_S;
  clock.agoMs = 0;
  await writeAuthFile(authFile, chatgptFile(tokens));
  return tokens;
}

export async function tokensInFile({ authFile }: StageSet): Promise<LoginTokens> {
  const { tokens } = JSON.parse(await readFile(authFile, 'utf8')) as { tokens: LoginTokens };
  return tokens;
}

export function isCodex({ userAgent }: TokenRequest): boolean {
  return userAgent?.startsWith('codex_') === true;
}
