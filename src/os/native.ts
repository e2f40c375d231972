/** Takes an exclusive `flock(2)` on an open file; false if somebody else has it. It ends with the descriptor, or the process. */
export type TryFlock = (descriptor: number) => boolean;

/** What the kernel offers to lock with. */
export async function findKernelLocks(): Promise<'flock' | 'abstract socket' | 'none'> {
  if ((await loadFlock()) !== null) return 'flock';
  return process.platform === 'linux' ? 'abstract socket' : 'none';
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * flock through koffi, an optional dependency: Node has none of its own (facts 5.7). Null where koffi is not installed
 * or has no build for this system.
 */
export async function loadFlock(): Promise<TryFlock | null> {
  try {
    const { default: koffi } = await import('koffi');
    const flock = koffi.load(null).func('int flock(int, int)');
    return (descriptor) => {
      const result: unknown = flock(descriptor, LOCK_EX | LOCK_NB);
      if (result === 0) return true;
      const errno = koffi.errno();
      const { EAGAIN, EINTR } = koffi.os.errno;
      if (errno === EAGAIN || errno === EINTR) return false;
      throw Object.assign(new Error(`flock failed with errno ${String(errno)}`), { code: 'EFLOCK' });
    };
  } catch {
    return null;
  }
}
