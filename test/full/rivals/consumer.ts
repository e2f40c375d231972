import { readCredential } from '../../../src/client/credential.js';
import { AuthdError } from '../../../src/errors.js';
import { nap } from './nap.js';

/** A consumer's pace: four of them together ask a few dozen times a second. */
const PAUSE_MS = 100;

export interface ConsumerOptions {
  /** The sockets of all daemons: one of them answers. */
  readonly sockets: readonly string[];
  readonly signal: AbortSignal;
  /** A token was given, in the time between these two, in milliseconds since the epoch. */
  readonly onToken: (accessToken: string, askedAtMs: number, answeredAtMs: number) => void;
  /** There was none; `code` says why. */
  readonly onFailure: (code: string) => void;
}

/** Asks for a credential again and again, as a program would that falls back on the other daemon. */
export async function consume({ sockets, signal, onToken, onFailure }: ConsumerOptions): Promise<void> {
  do {
    const askedAtMs = Date.now();
    try {
      onToken(await askAny(sockets), askedAtMs, Date.now());
    } catch (error) {
      if (!(error instanceof AuthdError)) throw error;
      onFailure(error.code);
    }
  } while (await nap(PAUSE_MS, signal));
}

async function askAny(sockets: readonly string[]): Promise<string> {
  let failure: unknown;
  for (const socket of sockets) {
    try {
      return (await readCredential({ socket, minValid: 2, wait: 3 })).access_token;
    } catch (error) {
      if (!(error instanceof AuthdError) || error.code !== 'daemon_not_running') throw error;
      failure = error;
    }
  }
  throw failure;
}
