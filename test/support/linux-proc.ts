import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/*
 * What Linux tells of its locks and of the files that processes have open: so a test sees that somebody waits,
 * and need not guess when.
 */

/** The processes that hold a `flock` on a file, or wait in the kernel for one, as /proc/locks has them. */
export async function flocksOn(path: string): Promise<{ holders: number[]; waiters: number[] }> {
  const found = { holders: [] as number[], waiters: [] as number[] };
  const inode = await stat(path).then(
    ({ ino }) => ino,
    () => null,
  );
  if (inode === null) return found;
  // "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF", with "->" before FLOCK for who waits.
  const line = /^\d+: (?<waits>-> )?FLOCK +ADVISORY +WRITE (?<pid>\d+) [0-9a-f]+:[0-9a-f]+:(?<inode>\d+) /gm;
  for (const { groups } of (await readFile('/proc/locks', 'utf8')).matchAll(line)) {
    if (Number(groups?.['inode']) !== inode) continue;
    (groups?.['waits'] === undefined ? found.holders : found.waiters).push(Number(groups?.['pid']));
  }
  return found;
}

/** Whether a process has a file open. */
export async function hasOpen(pid: number | undefined, path: string): Promise<boolean> {
  const descriptors = join('/proc', String(pid), 'fd');
  for (const descriptor of await readdir(descriptors)) {
    const target = await readlink(join(descriptors, descriptor)).catch(() => null);
    if (target === path) return true;
  }
  return false;
}

/** Resolves when the condition holds: for what the kernel knows and tells nobody. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(1);
}
