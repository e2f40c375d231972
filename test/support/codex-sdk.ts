import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CodexOptions } from '../../src/index.js';
import { sdkPackage } from './codex-binary.js';

/** One thread of the Codex SDK, as far as the tests use it. */
export interface SdkThread {
  readonly id: string | null;
  run(input: string): Promise<{ readonly finalResponse: string }>;
}

/** What the tests use of `@openai/codex-sdk`: it is no dependency, so its own types are not at hand. */
export interface Sdk {
  readonly Codex: new (options?: CodexOptions) => {
    startThread(options?: { skipGitRepoCheck?: boolean; workingDirectory?: string }): SdkThread;
  };
}

/** The real SDK. */
export async function loadSdk(): Promise<Sdk> {
  const main = pathToFileURL(join(await sdkPackage(), 'dist', 'index.js'));
  return (await import(main.href)) as Sdk;
}
