import { readFile } from 'node:fs/promises';

/** Whether a file system, or a file alone, is mounted at just this real path. Linux tells; elsewhere it is never known. */
export async function isMountPoint(path: string): Promise<boolean> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return mountPointsIn(table).includes(path);
}

/** The mount points in a table of the form of proc_pid_mountinfo(5): the fifth field, with spaces and the like escaped. */
export function mountPointsIn(table: string): string[] {
  return table.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    return point === undefined ? [] : [point.replace(/\\([0-7]{3})/g, (_, octal: string) => charOf(octal))];
  });
}

function charOf(octal: string): string {
  return String.fromCharCode(Number.parseInt(octal, 8));
}
