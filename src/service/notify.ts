import { execFile } from 'node:child_process';
import { describeError } from '../errors.js';
import { loadDatagrams } from '../os/datagram.js';

/** What the daemon tells its service manager (sd_notify(3)). Without one every word is lost, and nothing fails. */
export interface Notifier {
  /** It serves, and `sentence` says how it is. Also the end of `reloading`. */
  ready(sentence: string): void;
  /** `sentence` says how it is now; the same one again is not sent. */
  status(sentence: string): void;
  reloading(): void;
  stopping(): void;
  /** It is well. */
  alive(): void;
}

interface NotifyLog {
  warn(fields: object, message: string): void;
}

type Send = (text: string) => void;

/** The notifier for `$NOTIFY_SOCKET`; never throws, because a daemon that cannot tell is one that still serves. */
export async function openNotifier(address: string | undefined, log: NotifyLog): Promise<Notifier> {
  const send: Send = address === undefined ? () => undefined : await findWay(address, log);
  let told: string | undefined;
  return {
    ready(sentence) {
      told = sentence;
      send(`READY=1\nSTATUS=${oneLine(sentence)}`);
    },
    status(sentence) {
      if (sentence === told) return;
      told = sentence;
      send(`STATUS=${oneLine(sentence)}`);
    },
    reloading() {
      send(`RELOADING=1\nMONOTONIC_USEC=${String(process.hrtime.bigint() / 1000n)}`);
    },
    stopping() {
      send('STOPPING=1\nSTATUS=stopping');
    },
    alive() {
      send('WATCHDOG=1');
    },
  };
}

/** A datagram of our own, or where koffi is missing, `systemd-notify`, which comes with systemd. */
async function findWay(address: string, log: NotifyLog): Promise<Send> {
  const datagram = await loadDatagrams();
  const fail = (error: unknown): void => {
    log.warn({ reason: describeError(error) }, 'the service manager cannot be told how the daemon is');
  };
  if (datagram === null)
    return (text) => {
      // What it says is one variable a word.
      execFile(
        'systemd-notify',
        text.split('\n'),
        { env: { ...process.env, NOTIFY_SOCKET: address } },
        (error) => {
          if (error !== null) fail(error);
        },
      );
    };
  return (text) => {
    try {
      datagram(address, text);
    } catch (error) {
      fail(error);
    }
  };
}

function oneLine(sentence: string): string {
  return sentence.replace(/\s+/g, ' ');
}
