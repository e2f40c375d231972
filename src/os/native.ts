/**
 * Takes an exclusive `flock(2)` on an open file; false if somebody else has it, null if its file system has none. It ends
 * with the descriptor, or the process.
 *
 * @throws Error `EFLOCK` if it fails in another way
 */
export type TryFlock = (descriptor: number) => boolean | null;

/** What the kernel offers to lock with. */
export async function findKernelLocks(): Promise<'flock' | 'abstract socket' | 'none'> {
  if ((await loadFlock()) !== null) return 'flock';
  return process.platform === 'linux' ? 'abstract socket' : 'none';
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * flock through koffi, an optional dependency: Node has none of its own (facts 5.7). Null where koffi is not installed
 * or has no build for this system. Loaded once: who takes a lock later takes one of the same kind, whatever has become of
 * the package.
 */
export function loadFlock(): Promise<TryFlock | null> {
  flock ??= bindFlock();
  return flock;
}

let flock: Promise<TryFlock | null> | undefined;

async function bindFlock(): Promise<TryFlock | null> {
  try {
    const { default: koffi } = await import('koffi');
    const call = koffi.load(null).func('int flock(int, int)');
    return (descriptor) => {
      const result: unknown = call(descriptor, LOCK_EX | LOCK_NB);
      if (result === 0) return true;
      return readFlockError(koffi.errno(), koffi.os.errno);
    };
  } catch {
    return null;
  }
}

/** What a flock that failed means, by the numbers that this system gives its errors. */
export function readFlockError(errno: number, numbers: Readonly<Record<string, number>>): false | null {
  const [name = String(errno)] = Object.keys(numbers).filter((each) => numbers[each] === errno);
  switch (name) {
    case 'EAGAIN':
    case 'EWOULDBLOCK':
    case 'EINTR':
      return false;
    // Some network and user-space file systems; NFS where no lock daemon runs.
    case 'ENOSYS':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOLCK':
      return null;
    default:
      throw Object.assign(new Error(`flock failed: ${name}`), { code: 'EFLOCK' });
  }
}
