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
  /** It is well, and says so again within `patienceMs`. */
  alive(patienceMs: number): void;
  /** It says within `patienceMs`, from now on, that it is well. */
  setPatience(patienceMs: number): void;
}

/** It waits for the manager to have read what it says, for 5 s by itself. */
const LONGEST_RUN_MS = 10_000;

interface NotifyLog {
  warn(fields: object, message: string): void;
}

/** Without `isBlocking` what the manager has no room for is lost: nothing that the daemon does waits for it then. */
type Send = (text: string, isBlocking?: boolean) => void;

/** The notifier for `$NOTIFY_SOCKET`; never throws, because a daemon that cannot tell is one that still serves. */
export async function openNotifier(address: string | undefined, log: NotifyLog): Promise<Notifier> {
  const send: Send = address === undefined ? () => undefined : await findWay(address, log);
  let told: string | undefined;
  return {
    ready(sentence) {
      told = sentence;
      send(`READY=1\nSTATUS=${oneLine(sentence)}`, true);
    },
    status(sentence) {
      if (sentence === told) return;
      told = sentence;
      send(`STATUS=${oneLine(sentence)}`);
    },
    reloading() {
      send(`RELOADING=1\nMONOTONIC_USEC=${String(process.hrtime.bigint() / 1000n)}`, true);
    },
    stopping() {
      send('STOPPING=1\nSTATUS=stopping', true);
    },
    alive(patienceMs) {
      send(`WATCHDOG=1\n${watchdogUsec(patienceMs)}`);
    },
    setPatience(patienceMs) {
      send(watchdogUsec(patienceMs));
    },
  };
}

/** A datagram of our own, or where koffi is missing, `systemd-notify`, which comes with systemd. */
async function findWay(address: string, log: NotifyLog): Promise<Send> {
  const datagram = await loadDatagrams();
  const fail = (error: unknown): void => {
    log.warn({ reason: describeError(error) }, 'the service manager cannot be told how the daemon is');
  };
  if (datagram === null) return throughProgram(address, fail);
  return (text, isBlocking) => {
    try {
      datagram(address, text, isBlocking);
    } catch (error) {
      fail(error);
    }
  };
}

/** One word after the other: of two that contradict each other the last one counts. */
function throughProgram(address: string, fail: (error: unknown) => void): Send {
  const options = { env: { ...process.env, NOTIFY_SOCKET: address }, timeout: LONGEST_RUN_MS };
  let said = Promise.resolve();
  return (text) => {
    const say = (): Promise<void> =>
      new Promise((resolve) => {
        // What it says is one variable a word.
        execFile('systemd-notify', text.split('\n'), options, (error) => {
          if (error !== null) fail(error);
          resolve();
        });
      });
    said = said.then(say).catch(fail);
  };
}

function watchdogUsec(patienceMs: number): string {
  return `WATCHDOG_USEC=${String(Math.round(patienceMs * 1000))}`;
}

function oneLine(sentence: string): string {
  return sentence.replace(/\s+/g, ' ');
}
