import { readFile } from 'node:fs/promises';

/** Whether a file system, or a file alone, is mounted at just this real path. Linux tells; elsewhere it is never known. */
export async function isMountPoint(path: string): Promise<boolean> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return mountPointsIn(table).includes(path);
}

/**
 * The mount points that can be reached, out of a table of the form of proc_pid_mountinfo(5): the second field is the mount that
 * each lies in, the fifth its place, with spaces and the like escaped.
 */
export function mountPointsIn(table: string): string[] {
  const mounts = table.split('\n').flatMap((line) => {
    const [id, parent, , , place] = line.split(' ');
    return place === undefined ? [] : [{ id, parent, point: decode(place) }];
  });
  // What is mounted over a directory hides the mounts in it, and those in them.
  const isHidden = ({ id, parent, point }: (typeof mounts)[number]): boolean =>
    mounts.some((other) => other.parent === parent && point.startsWith(`${other.point}/`)) ||
    mounts.some((other) => other.id === parent && other.id !== id && isHidden(other));
  return mounts.filter((mount) => !isHidden(mount)).map(({ point }) => point);
}

function decode(place: string): string {
  return place.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
