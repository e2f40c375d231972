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
}

export async function setStage(binary: string): Promise<StageSet> {
  const endpoint = await StrictTokenEndpoint.start();
  const model = await ResponsesMock.start({
    accepts: (token, nowMs) => endpoint.verifyAccessToken(token, nowMs),
  });
  onTestFinished(async () => {
    await endpoint.close();
    await model.close();
  });
  const sandbox = await ownSandbox();
  await configureCodex(sandbox, model.baseUrl);
  const authFile = join(sandbox.codexHome, 'auth.json');
  return { endpoint, model, sandbox, authFile, codex: { binary, sandbox, tokenEndpoint: endpoint.url } };
}

/** Codex refreshes what has less than 5 minutes left (facts 2.2); the daemon waits for half of such a short life. */
export const CODEX_REFRESHES_S = 240;
/** With this much left Codex does nothing, and neither does the daemon for a while. */
export const NOBODY_REFRESHES_S = 3600;

/** Writes a new login into the file, whose access token lives for so long; later ones live an hour. */
export async function logIn(
  stage: StageSet,
  lifetimeSeconds: number,
  accountId?: string,
): Promise<LoginTokens> {
  const { endpoint, authFile } = stage;
  endpoint.lifetimeSeconds = lifetimeSeconds;
  const tokens = endpoint.login(accountId === undefined ? {} : { accountId });
  endpoint.lifetimeSeconds = NOBODY_REFRESHES_S;
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
