import { constants } from 'node:fs';
import type { FileSystem, OpenFile } from '../../../src/os/file-system.js';
import { pause, type Clock } from '../../../src/os/clock.js';
import { textOf, type AuthDocument } from './login-text.js';

/** The versions of Codex that write differently (facts 3). */
export type CodexVersion = '0.163' | '0.166' | '0.169';

export interface Codex {
  readonly version: CodexVersion;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly home: string;
  /** Where auth.json really is, if it is a symbolic link. */
  readonly realPath: string;
  /** It had new tokens and could not save them, since somebody held a lock for too long. */
  readonly onGivenUp: () => void;
}

const LOCK_RETRY_MS = 50;
/** How long 0.169 waits for the lock beside the file (facts 3). */
const PATIENCE_MS = 5_000;

/** The text of auth.json; null if there is none. */
export async function readAuth({ fs, home }: Codex): Promise<string | null> {
  try {
    const file = await fs.open(`${home}/auth.json`, constants.O_RDONLY);
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    const length = await file.read(bytes, 0);
    await file.close();
    return Buffer.from(bytes.subarray(0, length)).toString('utf8');
  } catch {
    return null;
  }
}

/** Writes auth.json as this version does. `isStillRight` is asked by the version that compares before it replaces. */
export async function writeAuth(
  codex: Codex,
  document: AuthDocument,
  isStillRight: (current: string | null) => boolean,
): Promise<void> {
  const text = textOf(document);
  await withLocks(codex, async () => {
    if (codex.version !== '0.169') return truncateAndWrite(codex, text);
    if (isStillRight(await readAuth(codex))) await replace(codex, text);
  });
}

/** `codex logout`. */
export async function removeAuth(codex: Codex): Promise<void> {
  await withLocks(codex, () => codex.fs.unlink(`${codex.home}/auth.json`).catch(() => undefined));
}

/** Up to 0.166: readers can see an empty file, or half of one. */
async function truncateAndWrite({ fs, home }: Codex, text: string): Promise<void> {
  const file = await fs.open(`${home}/auth.json`, constants.O_WRONLY | constants.O_CREAT, 0o600);
  await file.truncate(0);
  await file.write(Buffer.from(text), 0);
  await file.close();
}

async function replace({ fs, realPath }: Codex, text: string): Promise<void> {
  const temporary = `${realPath}.auth-XXXXXX`;
  await fs.unlink(temporary).catch(() => undefined);
  const file = await fs.open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  await file.write(Buffer.from(text), 0);
  await file.sync();
  await file.close();
  await fs.rename(temporary, realPath);
}

async function withLocks(codex: Codex, work: () => Promise<void>): Promise<void> {
  const { version, home, realPath } = codex;
  const held: OpenFile[] = [];
  try {
    if (version !== '0.163') held.push(await lock(codex, `${home}/auth.lock`, Infinity));
    if (version === '0.169') held.push(await lock(codex, `${realPath}.lock`, PATIENCE_MS));
    await work();
  } catch (error) {
    if (error !== GIVEN_UP) throw error;
    codex.onGivenUp();
  } finally {
    for (const file of held.reverse()) await file.close();
  }
}

const GIVEN_UP = new Error('the lock is held by somebody else');

async function lock({ fs, clock }: Codex, path: string, patienceMs: number): Promise<OpenFile> {
  const file = await fs.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  for (let waitedMs = 0; !(await file.tryLock()); waitedMs += LOCK_RETRY_MS) {
    if (waitedMs >= patienceMs) {
      await file.close();
      throw GIVEN_UP;
    }
    await pause(clock, LOCK_RETRY_MS);
  }
  return file;
}
