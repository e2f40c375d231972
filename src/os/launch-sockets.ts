/** The descriptors of the sockets that launchd holds for this process under a name; none if it holds none. */
export type TakeLaunchSockets = (name: string) => readonly number[];

/**
 * `launch_activate_socket` of macOS through koffi. Null on other systems, and where koffi is not installed.
 */
export async function loadLaunchSockets(): Promise<TakeLaunchSockets | null> {
  if (process.platform !== 'darwin') return null;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    const activate = libc.func('int launch_activate_socket(const char *, _Out_ int **, _Out_ size_t *)');
    return (name) => {
      const descriptors: unknown[] = [null];
      const count: unknown[] = [0];
      const error: unknown = activate(name, descriptors, count);
      if (error !== 0) return [];
      const found: unknown = koffi.decode(descriptors[0], koffi.array('int', Number(count[0])));
      // A list of C's int is an Int32Array, or an array of numbers.
      return ArrayBuffer.isView(found) || Array.isArray(found) ? Array.from(found as Iterable<number>) : [];
    };
  } catch {
    return null;
  }
}
