import { endianness } from 'node:os';

/**
 * Sends one datagram to the Unix socket at an address; `@` at its beginning stands for an abstract one. Where its reader has no
 * room for it, it waits if it may, and the event loop with it.
 *
 * @throws Error if it was not sent
 */
export type SendDatagram = (address: string, text: string, isBlocking?: boolean) => void;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
/** `sun_path` of Linux. */
const LONGEST_ADDRESS_BYTES = 108;

/**
 * Unix datagrams through koffi: Node has none of its own (facts 5.7). Null where koffi is not installed, and on systems
 * other than Linux, which have nobody to send one to.
 */
export async function loadDatagrams(): Promise<SendDatagram | null> {
  if (process.platform !== 'linux') return null;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    const socket = libc.func('int socket(int, int, int)');
    const sendto = libc.func('intptr_t sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)');
    const close = libc.func('int close(int)');
    return (address, text, isBlocking) => {
      const target = socketAddress(address);
      const descriptor: unknown = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (descriptor === -1) throw new Error(`no socket can be made: errno ${String(koffi.errno())}`);
      const bytes = Buffer.from(text);
      const flags = MSG_NOSIGNAL | (isBlocking === true ? 0 : MSG_DONTWAIT);
      const sent: unknown = sendto(descriptor, bytes, bytes.length, flags, target, target.length);
      const errno = koffi.errno();
      close(descriptor);
      if (sent !== bytes.length) throw new Error(`the datagram was not sent: errno ${String(errno)}`);
    };
  } catch {
    return null;
  }
}

/** `struct sockaddr_un` as long as the address is: an abstract one is not ended by a zero byte, a path is. */
function socketAddress(address: string): Buffer {
  const isAbstract = address.startsWith('@');
  const path = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (path.length > LONGEST_ADDRESS_BYTES) throw new Error(`the address is too long: ${address}`);
  const family = Buffer.alloc(2);
  if (endianness() === 'LE') family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return Buffer.concat([family, path]);
}
