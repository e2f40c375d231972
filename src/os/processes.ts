import { readdir, readFile, stat } from 'node:fs/promises';

/** A process of this machine. */
export interface RunningProcess {
  readonly pid: number;
  /** The program and its arguments. */
  readonly words: readonly string[];
}

/** The processes of one user, as /proc tells them; none where there is no /proc. */
export async function listProcesses(uid: number | undefined): Promise<RunningProcess[]> {
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => look(name, uid)));
  return found.flatMap((process) => (process === null ? [] : [process]));
}

/** Null for one of another user, one that has ended, and one of the kernel. */
async function look(pid: string, uid: number | undefined): Promise<RunningProcess | null> {
  try {
    const directory = `/proc/${pid}`;
    if ((await stat(directory)).uid !== uid) return null;
    const words = (await readFile(`${directory}/cmdline`, 'utf8')).split('\0').slice(0, -1);
    return words.length === 0 ? null : { pid: Number(pid), words };
  } catch {
    return null;
  }
}
