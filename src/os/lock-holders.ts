import { readFile, readdir, readlink, realpath, stat } from 'node:fs/promises';

/**
 * Who holds a kernel lock on a file, by pid, without taking it: as /proc/locks tells it. Undefined where that cannot be
 * told. A holder in another container has no pid here, and is 0.
 */
export async function findLockHolders(path: string): Promise<number[] | undefined> {
  let table: string;
  let inode: bigint;
  let real: string;
  try {
    table = await readFile('/proc/locks', 'utf8');
    inode = (await stat(path, { bigint: true })).ino;
    real = await realpath(path);
  } catch {
    return undefined;
  }
  const pids = [...new Set(holdersIn(table, inode))];
  const holds = await Promise.all(pids.map((pid) => mayHave(pid, real)));
  return pids.filter((_pid, index) => holds[index]);
}

/** The pids in lines like `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`; who only waits has an arrow in his. */
export function holdersIn(table: string, inode: bigint): number[] {
  return table.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [, , , , pid, place = ''] = words;
    if (words[1] === '->' || place.split(':')[2] !== String(inode)) return [];
    return [Number(pid)];
  });
}

/** Devices have other numbers in that table than stat tells, on some file systems: what a process has open decides. */
async function mayHave(pid: number, path: string): Promise<boolean> {
  const directory = `/proc/${String(pid)}/fd`;
  let descriptors: string[];
  try {
    descriptors = await readdir(directory);
  } catch {
    // Somebody else's: he may.
    return true;
  }
  const open = await Promise.all(descriptors.map((fd) => readlink(`${directory}/${fd}`).catch(() => '')));
  return open.includes(path);
}
