import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { AuthdError } from '../../src/index.js';
import type { PublicationStatus } from '../../src/protocol.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { publishedFingerprint } from '../support/published-home.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

export interface Stage {
  readonly endpoint: StrictTokenEndpoint;
  readonly tokens: LoginTokens;
  readonly directory: string;
  readonly authFile: string;
  readonly socket: string;
  readonly daemon: () => DaemonProcess;
  /** Another daemon in the place of this one. */
  readonly restart: (signal?: NodeJS.Signals) => Promise<void>;
  readonly configure: (text: string) => Promise<void>;
}

export async function setUp({ config = '' } = {}): Promise<Stage> {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
  onTestFinished(() => endpoint.close());
  const sandbox = await ownSandbox();
  const authFile = join(sandbox.codexHome, 'auth.json');
  const settings = 'demand_interval_seconds = 0\nrejection_interval_seconds = 0\n';
  const configure = (text: string): Promise<void> => writeFile(sandbox.configFile, `${settings}${text}`);
  await configure(config.replaceAll('$DIR', sandbox.directory));
  const tokens = endpoint.login();
  await writeAuthFile(authFile, chatgptFile(tokens));
  const options = { sandbox, tokenEndpoint: endpoint.url };
  let daemon = await DaemonProcess.start(options);
  return {
    endpoint,
    tokens,
    directory: join(sandbox.directory, 'published'),
    authFile,
    socket: sandbox.socket,
    configure,
    daemon: () => daemon,
    async restart(signal = 'SIGTERM') {
      await daemon.stop(signal);
      daemon = await DaemonProcess.start(options);
    },
  };
}

export async function failureOf(promise: Promise<unknown>): Promise<AuthdError> {
  const failure = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (failure instanceof AuthdError) return failure;
  throw new Error(`this is no failure: ${String(failure)}`);
}

/** The one publication, as soon as it is in this state. */
export async function publication(
  { daemon }: Stage,
  state: PublicationStatus['state'],
): Promise<PublicationStatus> {
  for (;;) {
    const [first] = (await daemon().account()).published;
    if (first?.state === state) return first;
  }
}

/** The published access token, once it is another one. */
export async function nextPublished(directory: string, before: string | null): Promise<string | null> {
  for (;;) {
    const fingerprint = await publishedFingerprint(directory);
    if (fingerprint !== before) return fingerprint;
  }
}

export async function gone(directory: string): Promise<void> {
  while ((await publishedFingerprint(directory)) !== null);
}
