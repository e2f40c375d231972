import { AuthdError } from '../../errors.js';
import {
  DEFAULT_MIN_VALID_SECONDS,
  DEFAULT_WAIT_SECONDS,
  LONGEST_MIN_VALID_SECONDS,
  LONGEST_WAIT_SECONDS,
  type CredentialBody,
} from '../../protocol.js';
import { checkSeconds, readCredential } from '../credential.js';
import { reportRejected } from '../rejected.js';
import { followChanges } from './changes.js';
import type { Connection } from './connection.js';
import type { CredentialSource, GetOptions } from './credential-source.js';
import { Flights } from './flights.js';
import { isAway, persist } from './persist.js';

/** What somebody wants of the daemon. */
interface Wish {
  /** The same for those who want the same. */
  readonly key: string;
  readonly wait: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly fits: (credential: CredentialBody) => boolean;
  /** Asks the daemon; what it gives fits as well as can be had. */
  readonly ask: (wait: number, signal: AbortSignal) => Promise<CredentialBody>;
}

/** A source on a connection that is open. */
export function makeSource(connection: Connection): CredentialSource {
  const { memory, socket, account, refs, closed } = connection;
  const flights = new Flights<CredentialBody>();
  closed.addEventListener('abort', () => {
    flights.abort(closed.reason);
  });

  /** What is known, if it fits; else what the daemon gives, in good time. */
  async function grant({ key, wait, signal, fits, ask }: Wish): Promise<CredentialBody> {
    checkSeconds('wait', wait, LONGEST_WAIT_SECONDS);
    signal?.throwIfAborted();
    closed.throwIfAborted();
    const known = (): CredentialBody | null => {
      const { current } = memory;
      return current !== null && fits(current) ? current : null;
    };
    const waitMs = (wait ?? DEFAULT_WAIT_SECONDS) * 1000;
    return (
      known() ??
      flights.join(`${key} ${String(waitMs)}`, signal, (flying) =>
        persist({ waitMs, signal: flying, onNews: (wake) => memory.subscribe(wake) }, async (leftMs) => {
          const already = known();
          if (already !== null) return already;
          const { moment } = memory;
          const answer = await ask(Math.floor(leftMs / 1000), flying);
          connection.hurry();
          const isNews = memory.take(answer, moment);
          if (isNews && memory.current === null) await connection.askForTime(flying);
          const { current } = memory;
          return current?.fingerprint === answer.fingerprint ? current : known();
        }),
      )
    );
  }

  const changes: CredentialSource['changes'] = ({ signal } = {}) =>
    followChanges({ memory, refs, closed, signal });

  return {
    get current() {
      return memory.current;
    },
    get state() {
      return connection.state;
    },
    get connected() {
      return connection.isConnected;
    },
    async get({ minValid = DEFAULT_MIN_VALID_SECONDS, wait, signal }: GetOptions = {}) {
      checkSeconds('minValid', minValid, LONGEST_MIN_VALID_SECONDS);
      try {
        return await grant({
          key: `get ${String(minValid)}`,
          wait,
          signal,
          fits: () => memory.leftMs > minValid * 1000,
          ask: (seconds, flying) =>
            readCredential({ socket, account, minValid, wait: seconds, signal: flying }),
        });
      } catch (error) {
        // A daemon that answers gives the best there is itself, or says why there is nothing.
        const { current } = memory;
        if (current !== null && signal?.aborted !== true && hasNoAnswer(error)) return current;
        throw error;
      }
    },
    async rejected(token, { wait, signal } = {}) {
      const fingerprint = await fingerprintOf(token, memory.current);
      return grant({
        key: `rejected ${fingerprint}`,
        wait,
        signal,
        fits: (credential) => credential.fingerprint !== fingerprint,
        ask: (seconds, flying) =>
          reportRejected({ socket, account, fingerprint, wait: seconds, signal: flying }),
      });
    },
    changes,
    [Symbol.asyncIterator]: () => changes(),
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

function hasNoAnswer(error: unknown): boolean {
  return isAway(error) || (error instanceof AuthdError && error.code === 'timeout');
}

async function fingerprintOf(token: string, current: CredentialBody | null): Promise<string> {
  if (/^[0-9a-f]{12}$/.test(token)) return token;
  if (token === current?.access_token) return current.fingerprint;
  if (token === '') {
    throw new AuthdError('bad_request', 'the rejected token is empty', {
      hint: 'give the access token that was answered with a 401, or its fingerprint',
    });
  }
  // Only for a token that is not the current one: hashing is not loaded before.
  const { Secret } = await import('../../core/secret.js');
  return new Secret(token).fingerprint;
}
