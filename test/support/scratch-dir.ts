import { onTestFinished } from 'vitest';
import { makeTempDir } from './temp-dir.js';

/** The path of a directory of the test's own, removed when the test is over. To be called inside a test. */
export async function scratchDir(): Promise<string> {
  const { path, remove } = await makeTempDir();
  onTestFinished(remove);
  return path;
}
