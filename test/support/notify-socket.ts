import koffi from 'koffi';
import { onTestFinished } from 'vitest';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const LONGEST_MESSAGE_BYTES = 4096;

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, const uint8_t *, uint32_t)');
const recv = libc.func('intptr_t recv(int, _Out_ uint8_t *, size_t, int)');
const close = libc.func('int close(int)');

let made = 0;

/** A service manager's `$NOTIFY_SOCKET`, on Linux: nothing of what it is told is read before the test asks for it. */
export interface NotifySocket {
  readonly address: string;
  /** The messages that have come since the last call. */
  read(): string[];
}

/** One at an abstract address, until the test is over. */
export function openNotifySocket(): NotifySocket {
  const name = `authd-notify-${String(process.pid)}-${String((made += 1))}`;
  const address = Buffer.from(`\0\0\0${name}`);
  // The family is in the byte order of this machine.
  new Uint16Array(address.buffer, address.byteOffset, 1)[0] = AF_UNIX;
  const descriptor = socket(AF_UNIX, SOCK_DGRAM, 0) as number;
  if (bind(descriptor, address, address.length) !== 0)
    throw new Error(`bind: errno ${String(koffi.errno())}`);
  onTestFinished(() => {
    close(descriptor);
  });
  const take = (): string | null => {
    const bytes = Buffer.alloc(LONGEST_MESSAGE_BYTES);
    const length = Number(recv(descriptor, bytes, bytes.length, MSG_DONTWAIT));
    return length < 0 ? null : bytes.toString('utf8', 0, length);
  };
  return {
    address: `@${name}`,
    read() {
      const messages: string[] = [];
      for (let message = take(); message !== null; message = take()) messages.push(message);
      return messages;
    },
  };
}
