import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codexOptions, type CodexOptionsChoice } from '../../src/index.js';
import { codexBinary, type CodexVersion } from '../support/codex-binary.js';
import { codexEnvironment, QUIET_CONFIG } from '../support/codex-process.js';
import { loadSdk, type SdkThread } from '../support/codex-sdk.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import type { StageSet } from './stage-set.js';

/** The newest Codex, or the one that the SDK brings: then the SDK is told of none. */
export const BINARIES = ['0.169.0', 'bundled'] as const satisfies (CodexVersion | 'bundled')[];
export type Binary = (typeof BINARIES)[number];

/** A daemon, the two servers, and a home with a config.toml that names no provider. */
export interface SdkStage extends StageSet {
  readonly daemon: DaemonProcess;
  /** A new thread of a new `Codex`, as a service would make one. */
  readonly thread: (binary: Binary, choice?: CodexOptionsChoice) => Promise<SdkThread>;
}

/** To be called when the login is in the file. */
export async function startDaemon(stage: StageSet): Promise<SdkStage> {
  const { sandbox, endpoint, model } = stage;
  await writeFile(join(sandbox.codexHome, 'config.toml'), QUIET_CONFIG);
  await writeFile(sandbox.configFile, `chatgpt_base_url = "${model.baseUrl}"\n`);
  const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
  const thread = async (binary: Binary, choice: CodexOptionsChoice = {}): Promise<SdkThread> => {
    const { Codex } = await loadSdk();
    const home = choice.route === 'published' ? await homeForPublishing() : {};
    const own = await codexEnvironment({ sandbox, tokenEndpoint: endpoint.url });
    const env = { ...own, ...home, ...choice.env };
    const options = await codexOptions({
      ...choice,
      socket: daemon.socket,
      env,
      ...(binary === 'bundled' ? {} : { codexPathOverride: await codexBinary(binary) }),
    });
    return new Codex(options).startThread({ skipGitRepoCheck: true, workingDirectory: sandbox.directory });
  };
  return { ...stage, daemon, thread };
}

/** A home in which no login has ever been. */
async function homeForPublishing(): Promise<{ readonly CODEX_HOME: string }> {
  const { codexHome } = await ownSandbox();
  await writeFile(join(codexHome, 'config.toml'), QUIET_CONFIG);
  return { CODEX_HOME: codexHome };
}
