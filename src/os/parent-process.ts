import { readFile } from 'node:fs/promises';

/** The place of the start time in `/proc/PID/stat`, counted from what follows the name in parentheses: field 22. */
const START_TIME = 19;

/**
 * Names the process that started this one, among all that run and have run: its pid and when it started. On Linux from
 * /proc, elsewhere from `ps`; undefined where neither tells, because a pid alone may be somebody else's by now.
 */
export async function identifyParent(): Promise<string | undefined> {
  const pid = String(process.ppid);
  const start = process.platform === 'linux' ? await readProcStart(pid) : await askPs(pid);
  return start === undefined ? undefined : `${pid}-${start}`;
}

async function readProcStart(pid: string): Promise<string | undefined> {
  try {
    return startTimeIn(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The name of a program may hold spaces and parentheses: only the last one of these ends it. */
export function startTimeIn(stat: string): string | undefined {
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME];
  return start !== undefined && /^\d+$/.test(start) ? start : undefined;
}

const PS_DEADLINE_MS = 1000;

async function askPs(pid: string): Promise<string | undefined> {
  const { execFile } = await import('node:child_process');
  const options = { env: { LC_ALL: 'C', TZ: 'UTC' }, timeout: PS_DEADLINE_MS };
  return new Promise((resolve) => {
    execFile('/bin/ps', ['-o', 'lstart=', '-p', pid], options, (error, stdout) => {
      resolve(error === null ? startInstantIn(stdout) : undefined);
    });
  });
}

/** `Sun Nov 22 23:44:09 2026` as a word. */
export function startInstantIn(stdout: string): string | undefined {
  const words = stdout.trim().split(/\s+/);
  return words.length === 5 ? words.join('.') : undefined;
}
