import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AccountStatus } from '../../src/protocol.js';
import type { Sandbox } from '../cli/run-cli.js';
import { DaemonProcess, ownSandbox, type DaemonOptions } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';
import { fingerprintOf } from '../support/tokens.js';
import { rested } from './rest.js';

/** Where a journal has room for the answer; see src/auth-file/journal.ts. */
const ANSWER_AT = 4096;

/** An impatient daemon: it is asked again and again, and what it has to put right is put right soon. */
const SETTINGS = `
demand_interval_seconds = 0
backoff_min_seconds = 0.1
backoff_max_seconds = 0.1
`;

/** A socket on its way to its name, as src/server/socket-names.ts has it: removed when it is a minute old. */
const SOCKET_IN_THE_MAKING = /^\.~[0-9a-z]{4}$/;

/** Files that stay in Codex's home by design: its own locks, and those of a living daemon. */
const AT_HOME = [
  'auth.json',
  'auth.json.codex-authd.lock',
  'auth.json.codex-authd.owner',
  'auth.json.lock',
  'auth.lock',
];

/** A home with a login in it, the server that gave it, and one daemon after the other. */
export class Household {
  readonly endpoint: StrictTokenEndpoint;
  readonly sandbox: Sandbox;
  readonly authFile: string;
  readonly stateDirectory: string;

  private constructor(endpoint: StrictTokenEndpoint, sandbox: Sandbox) {
    this.endpoint = endpoint;
    this.sandbox = sandbox;
    this.authFile = join(sandbox.codexHome, 'auth.json');
    this.stateDirectory = join(sandbox.directory, 'state', 'codex-authd');
  }

  /** With a login in it, and gone when the test is over. */
  static async found(): Promise<Household> {
    const household = await Household.prepare();
    await household.logIn();
    return household;
  }

  /** Without a login. */
  static async prepare(): Promise<Household> {
    const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
    onTestFinished(() => endpoint.close());
    const household = new Household(endpoint, await ownSandbox());
    await writeFile(household.sandbox.configFile, SETTINGS);
    return household;
  }

  /** Where strace writes: one at a time. */
  get straceLog(): string {
    return join(this.sandbox.directory, 'strace.log');
  }

  /** What `codex login` does. */
  async logIn(): Promise<LoginTokens> {
    const tokens = this.endpoint.login();
    await writeAuthFile(this.authFile, chatgptFile(tokens));
    return tokens;
  }

  /** A daemon that listens. */
  async start(options: Partial<DaemonOptions> = {}): Promise<DaemonProcess> {
    return DaemonProcess.start(this.#optionsOf(options));
  }

  /** A daemon that has just been started. */
  async spawn(options: Partial<DaemonOptions> = {}): Promise<DaemonProcess> {
    return DaemonProcess.spawn(this.#optionsOf(options));
  }

  #optionsOf({ env, ...options }: Partial<DaemonOptions>): DaemonOptions {
    const { sandbox, endpoint } = this;
    // With one thread for them, Node's file calls have one order (facts 5.15).
    return { sandbox, tokenEndpoint: endpoint.url, env: { UV_THREADPOOL_SIZE: '1', ...env }, ...options };
  }

  /** @throws if auth.json is not at this moment a whole JSON file that only its owner may read */
  async login(): Promise<LoginTokens> {
    const { mode } = await stat(this.authFile);
    if ((mode & 0o777) !== 0o600) throw new Error(`auth.json has mode ${mode.toString(8)}`);
    return (JSON.parse(await readFile(this.authFile, 'utf8')) as { tokens: LoginTokens }).tokens;
  }

  /** What the journal of the rotation that spends this token holds of the answer; null where it holds no intent. */
  async recordedAnswer(refreshToken: string): Promise<string | null> {
    const suffix = `.${fingerprintOf(refreshToken)}.journal`;
    const name = (await readdir(this.stateDirectory)).find((each) => each.endsWith(suffix));
    if (name === undefined) return null;
    const text = await readFile(join(this.stateDirectory, name), 'utf8');
    return text === '' ? null : text.slice(ANSWER_AT).replaceAll('\0', '');
  }

  /**
   * What should not be there while a daemon lives and rests. `unknown` are refresh tokens of which it cannot know whether
   * they were spent: their journals say so, and stay.
   */
  async leftovers(unknown: readonly string[] = []): Promise<string[]> {
    const reminders = unknown.map((token) => `.${fingerprintOf(token)}.journal`);
    const isDue = (name: string): boolean =>
      /^default-[0-9a-f]{12}(\.published)?\.json$/.test(name) ||
      reminders.some((reminder) => name.endsWith(reminder));
    const atHome = (await readdir(this.sandbox.codexHome)).filter((name) => !AT_HOME.includes(name));
    const state = await readdir(this.stateDirectory);
    const run = await readdir(dirname(this.sandbox.socket));
    return [
      ...atHome,
      ...state.filter((name) => !isDue(name)),
      ...run.filter((name) => name !== basename(this.sandbox.socket) && !SOCKET_IN_THE_MAKING.test(name)),
    ];
  }
}

/** The account when no rotation is under way. */
export async function settled(daemon: DaemonProcess): Promise<AccountStatus> {
  for (;;) {
    const account = await daemon.account();
    if (account.state !== 'refreshing') return account;
  }
}

/** A whole rotation, from rest to rest. What is loaded at the first one of a process is no part of those after it. */
export async function rotateOnce(daemon: DaemonProcess): Promise<void> {
  await rested(daemon);
  await refresh(daemon);
  if (!(await rested(daemon))) throw new Error(`the daemon has ended:\n${(await daemon.cli.ended).stderr}`);
}

/** Resolves with the answer, which is not the end of the rotation. */
export async function refresh(daemon: DaemonProcess): Promise<void> {
  const { status, text } = await daemon.ask('/v1/refresh', 'POST');
  if (status === 200) return;
  throw new Error(`the rotation failed: ${text}\n${await daemon.cli.stderrUntil(() => true)}`);
}

/** The environment in which a file of this directory is loaded into the daemon before anything else. */
export function preloaded(...names: readonly string[]): Record<string, string> {
  const imports = names.map((name) => `--import=${new URL(name, import.meta.url).href}`);
  return { NODE_OPTIONS: [process.env['NODE_OPTIONS'] ?? '', ...imports].join(' ') };
}
