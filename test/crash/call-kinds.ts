import type { SystemCall } from './strace.js';

/**
 * Waiting and memory: nobody else sees anything of them, and how many there are is up to the scheduler and the garbage
 * collector. A kill at one of them is a kill between the two calls around it.
 */
const WAITING = [
  ...['brk', 'clock_nanosleep', 'epoll_pwait', 'futex', 'getpid', 'gettid', 'madvise', 'mmap', 'mprotect'],
  ...['mremap', 'munmap', 'nanosleep', 'pkey_alloc', 'pkey_free', 'pkey_mprotect', 'restart_syscall'],
  ...['rt_sigprocmask', 'sched_yield'],
];

/** Questions: nobody else sees anything of them either, but what comes next hangs on the answer. */
const ASKING = [
  ...['access', 'faccessat', 'fstat', 'getcwd', 'getdents64', 'getpeername', 'getrandom', 'getsockname'],
  ...['getsockopt', 'lseek', 'lstat', 'newfstatat', 'pread64', 'read', 'readlink', 'readlinkat', 'stat'],
  ...['statfs', 'statx', 'uname'],
];

/** What a system call is to the world. What is not known to be a question or a wait counts as an act. */
export type CallKind = 'acts' | 'asks' | 'waits';

export function kindOf(call: SystemCall): CallKind {
  if (WAITING.includes(call.name)) return 'waits';
  if (ASKING.includes(call.name)) return 'asks';
  return isWake(call) ? 'waits' : 'acts';
}

/** Node's threads wake each other so; the garbage collector's, too, whenever they like. */
export function isWake({ name, line }: SystemCall): boolean {
  return name === 'write' && line.includes('<anon_inode:[eventfd]>');
}

/** `openat .codex/.auth.json.codex-authd-…`: a call and what it is about, the same in each run. */
export function nameOf({ name, line }: SystemCall): string {
  const descriptor = /^[^(]*\(\d+<([^>]*)>/.exec(line)?.[1];
  const path = descriptor ?? [...line.matchAll(/"(\/[^"]*)"/g)].at(-1)?.[1] ?? '';
  const file = (path.split('/').at(-1) ?? '')
    .replace(/^(socket|pipe):.*/, '$1')
    .replace(/^anon_inode:\[?(\w+)\]?$/, '$1')
    .replace(/^cli-\w{6}$/, 'cli-…')
    .replace(/codex-authd-[0-9a-f]{12}$/, 'codex-authd-…')
    .replace(/^[0-9a-f]{12}(?=\.sending$)/, 'token')
    .replace(/^default-[0-9a-f]{12}((\.[0-9a-f]{8})?\.[0-9a-f]{12})?/, 'default');
  // Which of the two auth.json it is about.
  const parent = /\/(published|\.codex)\/(?=[^/"]*auth\.json)/.exec(line)?.[1];
  if (file === '') return name;
  return parent === undefined ? `${name} ${file}` : `${name} ${parent}/${file}`;
}
